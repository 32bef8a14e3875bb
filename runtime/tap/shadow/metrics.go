package shadow

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what shadows do. One set serves all of a process.
type Metrics struct {
	connections *prometheus.CounterVec
	events      *prometheus.CounterVec
	differences *prometheus.CounterVec
	failures    *prometheus.CounterVec
	dropped     *prometheus.CounterVec
}

// NewMetrics makes a set and registers it with reg. If reg is nil, the set counts unseen.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		connections: counter("exgate_shadow_connections_total", "Connections that have a shadow.", "handler"),
		events:      counter("exgate_shadow_events_total", "Events handed to shadows.", "handler"),
		differences: counter("exgate_shadow_differences_total", "Connections whose shadow called something else, by the first such call.", "handler", "kind"),
		failures:    counter("exgate_shadow_failures_total", "Shadows of connections that failed, by close reason.", "handler", "reason"),
		dropped:     counter("exgate_shadow_dropped_total", "Shadows of connections that were given up, mostly because they lagged behind.", "handler", "why"),
	}
	if reg != nil {
		reg.MustRegister(m.connections, m.events, m.differences, m.failures, m.dropped)
	}
	return m
}

// Why a shadow is given up.
const (
	droppedQueue  = "queue"  // of the connection is full
	droppedTotal  = "total"  // too much waits for all shadows together
	droppedClosed = "closed" // the connection goes on without a shadow
	droppedApart  = "apart"  // it is so far from the live one that it cannot be answered as that is
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
