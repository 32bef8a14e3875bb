package shadow

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what shadows do. One set serves all shadows.
type Metrics struct {
	connections *prometheus.CounterVec
	events      *prometheus.CounterVec
	differences *prometheus.CounterVec
	failures    *prometheus.CounterVec
	dropped     *prometheus.CounterVec
}

// NewMetrics creates a set and registers it with reg. If reg is nil, the set is not registered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		connections: counter("exgate_shadow_connections_total", "Connections that have a shadow.", "handler"),
		events:      counter("exgate_shadow_events_total", "Events handed to shadows.", "handler"),
		differences: counter("exgate_shadow_differences_total",
			"Connections whose shadow made a different call, by the first such call.", "handler", "kind"),
		failures: counter("exgate_shadow_failures_total", "Shadows of connections that failed, by close reason.",
			"handler", "reason"),
		dropped: counter("exgate_shadow_dropped_total", "Shadows of connections that were dropped, by reason.",
			"handler", "why"),
	}
	if reg != nil {
		reg.MustRegister(m.connections, m.events, m.differences, m.failures, m.dropped)
	}
	return m
}

// The values of why in exgate_shadow_dropped_total.
const (
	droppedQueue  = "queue"  // its queue is full
	droppedTotal  = "total"  // the queues of all shadows together are full
	droppedClosed = "closed" // the Shadow was closed while the connection was open
	droppedApart  = "apart"  // it is too far ahead of the live handler, or too far behind
)

// handlerMetrics is Metrics with a handler's labels resolved.
type handlerMetrics struct {
	set         *Metrics
	name        string
	connections prometheus.Counter
	events      prometheus.Counter
}

func (m *Metrics) handler(name string) *handlerMetrics {
	return &handlerMetrics{
		set: m, name: name, connections: m.connections.WithLabelValues(name), events: m.events.WithLabelValues(name),
	}
}

func (m *handlerMetrics) drop(why string)    { m.set.dropped.WithLabelValues(m.name, why).Inc() }
func (m *handlerMetrics) differ(kind string) { m.set.differences.WithLabelValues(m.name, kind).Inc() }

func (m *handlerMetrics) failed(reason string) { m.set.failures.WithLabelValues(m.name, reason).Inc() }
