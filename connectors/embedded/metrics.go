package embedded

import "github.com/prometheus/client_golang/prometheus"

// Reasons for dropping a message.
const (
	dropDeviceFull = "device_queue_full"
	dropClientFull = "client_queue_full"
	dropDenied     = "denied"
	dropBadString  = "bad_string"    // a topic or property contains a string that MQTT forbids
	dropRetained   = "retained_full" // delivered, but not retained
)

// Reasons for disconnecting a network client.
const (
	closedQueueFull     = "queue_full"
	closedStalled       = "stalled" // it has read nothing for writeTimeout
	closedBadPacket     = "bad_packet"
	closedEvicted       = "evicted" // it had not logged in when another connection needed its slot
	closedMaxClients    = "max_clients"
	closedSubscriptions = "subscriptions"
)

// Metrics counts the broker's sessions, messages and closed connections.
type Metrics struct {
	sessions  prometheus.Gauge
	refused   prometheus.Counter
	published prometheus.Counter
	delivered prometheus.Counter
	dropped   *prometheus.CounterVec // by reason
	closed    *prometheus.CounterVec // by reason
}

// NewMetrics registers the metrics with reg, unless reg is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		sessions: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "exgate_embedded_sessions", Help: "Sessions of the gateway's devices at the embedded broker.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "exgate_embedded_refused_total", Help: "Devices and clients that the embedded broker refused.",
		}),
		published: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "exgate_embedded_published_total", Help: "Messages that devices published at the embedded broker.",
		}),
		delivered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "exgate_embedded_delivered_total", Help: "Messages that the embedded broker delivered to devices.",
		}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_embedded_dropped_total",
			Help: "Messages that the embedded broker did not deliver, by reason.",
		}, []string{"reason"}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_embedded_closed_total",
			Help: "Connections of network clients that the embedded broker cut off, by reason.",
		}, []string{"reason"}),
	}
	if reg != nil {
		reg.MustRegister(m.sessions, m.refused, m.published, m.delivered, m.dropped, m.closed)
	}
	return m
}
