package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/internal/lograte"
)

// Metrics counts what the connections do. One set serves one [Gateway].
type Metrics struct {
	connections *prometheus.GaugeVec
	opened      *prometheus.CounterVec
	closed      *prometheus.CounterVec
	refused     *prometheus.CounterVec
	received    *prometheus.CounterVec
	sent        *prometheus.CounterVec
	events      *prometheus.CounterVec
	dropped     *prometheus.CounterVec
	calls       *prometheus.CounterVec
	pauses      *prometheus.CounterVec
}

// NewMetrics creates a set and registers it with reg. If reg is nil, the set is not registered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "exgate_connections",
			Help: "Open device connections.",
		}, []string{"listener"}),
		opened: counter("exgate_connections_opened_total", "Device connections that reached a handler.",
			"listener"),
		closed: counter("exgate_connections_closed_total", "Ended connections by close reason.", "listener",
			"reason"),
		refused: counter("exgate_connections_refused_total", "Connections that never reached a handler.",
			"listener", "reason"),
		received: counter("exgate_received_bytes_total", "Bytes handed to handlers.", "listener"),
		sent:     counter("exgate_sent_bytes_total", "Bytes taken from handlers for devices.", "listener"),
		events:   counter("exgate_events_total", "Events handed to handlers.", "listener", "event"),
		dropped: counter("exgate_dropped_total", "Messages, results and bytes dropped, by kind and reason.",
			"listener", "what"),
		calls: counter("exgate_upstream_calls_total", "Handlers' calls to the upstream by result.", "listener",
			"call", "result"),
		pauses: counter("exgate_read_pauses_total",
			"How often the reading of a device's socket stopped, by cause.", "listener", "cause"),
	}
	if reg != nil {
		reg.MustRegister(m.connections, m.opened, m.closed, m.refused, m.received, m.sent, m.events, m.dropped, m.calls,
			m.pauses)
	}
	return m
}

// The values of what in exgate_dropped_total.
const (
	droppedInboxFull     = "message_inbox_full"   // QoS 0, the handler is slower than the upstream
	droppedBadTopic      = "message_bad_topic"    // MQTT does not allow its topic
	droppedAfterClose    = "message_after_close"  // it arrived, or was still queued, after the connection had closed
	droppedResultClosed  = "result_after_close"   // the result of a call whose connection had closed
	droppedTooLarge      = "datagram_too_large"   // over max_event_bytes
	droppedProperties    = "message_properties"   // of a message: invalid or too large; the rest is delivered
	droppedResponseTopic = "response_topic"       // of a message: the device could not publish there
	droppedSendClosed    = "send_bytes_discarded" // bytes that a closed or failed socket did not accept
)

// listenerMetrics is Metrics with a listener's labels resolved, for the hot path.
type listenerMetrics struct {
	set         *Metrics
	name        string
	connections prometheus.Gauge
	opened      prometheus.Counter
	received    prometheus.Counter
	sent        prometheus.Counter
	bytesEvents prometheus.Counter
	msgEvents   prometheus.Counter

	refusalLines refusalLog
	closeLines   lograte.Set // lines about connections that failed
	refusedLines lograte.Set // lines about connections that were not taken
}

func (m *Metrics) listener(name string) *listenerMetrics {
	return &listenerMetrics{
		set:         m,
		closeLines:  lograte.Set{Most: 100},
		name:        name,
		connections: m.connections.WithLabelValues(name),
		opened:      m.opened.WithLabelValues(name),
		received:    m.received.WithLabelValues(name),
		sent:        m.sent.WithLabelValues(name),
		bytesEvents: m.events.WithLabelValues(name, "bytes"),
		msgEvents:   m.events.WithLabelValues(name, "messages"),
	}
}

func (l *listenerMetrics) drop(what string, n int) {
	if n > 0 {
		l.set.dropped.WithLabelValues(l.name, what).Add(float64(n))
	}
}

func (l *listenerMetrics) paused(why string) { l.set.pauses.WithLabelValues(l.name, why).Inc() }

func (l *listenerMetrics) closed(r CloseReason) { l.set.closed.WithLabelValues(l.name, r.Name).Inc() }

func (l *listenerMetrics) refused(r CloseReason) { l.set.refused.WithLabelValues(l.name, r.Name).Inc() }

func (l *listenerMetrics) call(name string, r Result) {
	l.set.calls.WithLabelValues(l.name, name, r.Code.String()).Inc()
}
