package listener

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts events of stream listeners before a connection reaches the gateway.
type Metrics struct {
	acceptErrors *prometheus.CounterVec
	handshakes   *prometheus.CounterVec
	proxyRefused *prometheus.CounterVec
}

// NewMetrics creates a set and registers it with reg, unless reg is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		acceptErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_accept_errors_total", Help: "Failed accepts, which are retried after a pause.",
		}, []string{"address"}),
		handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_tls_handshakes_total",
			Help: "TLS handshakes by result: ok, failed, timeout, closed (the device disconnected before it began), " +
				"refused (by a limit), evicted (it made room for another) or busy (all wait for the processor).",
		}, []string{"listener", "result"}),
		proxyRefused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_proxy_refused_total",
			Help: "Connections refused by their PROXY header: untrusted (source), malformed, timeout, " +
				"busy (it made room for another).",
		}, []string{"listener", "reason"}),
	}
	if reg != nil {
		reg.MustRegister(m.acceptErrors, m.handshakes, m.proxyRefused)
	}
	return m
}
