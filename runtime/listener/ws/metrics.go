package ws

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts events of WebSocket listeners.
type Metrics struct {
	handshakes *prometheus.CounterVec
	control    *prometheus.CounterVec
}

// NewMetrics creates a set and registers it with reg, unless reg is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_websocket_handshakes_total",
			Help: "WebSocket handshakes by result: ok, failed, timeout, closed (the device disconnected before it " +
				"began), refused (by a limit), evicted (it made room for another), busy, malformed, too_large, " +
				"not_websocket, not_found (another path), origin or subprotocol.",
		}, []string{"listener", "result"}),
		control: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_websocket_control_frames_total",
			Help: "Control frames of devices: ping, pong, close, and ping_unanswered for pings that were not " +
				"answered because earlier bytes still waited for the device.",
		}, []string{"listener", "kind"}),
	}
	if reg != nil {
		reg.MustRegister(m.handshakes, m.control)
	}
	return m
}
