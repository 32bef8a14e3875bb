package adapter

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts calls of handlers.
type Metrics struct {
	calls     *prometheus.CounterVec
	refused   *prometheus.CounterVec
	forwarded *prometheus.CounterVec
	shed      *prometheus.CounterVec
}

// NewMetrics returns a set that is registered with reg unless reg is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_adapter_calls_total",
			Help: "Calls to ConnectionAdapter, by handler (empty if unknown), method and result.",
		}, []string{"handler", "method", "result"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_adapter_refused_total",
			Help: "Refused calls to ConnectionAdapter, by reason.",
		}, []string{"reason"}),
		forwarded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_adapter_forwarded_total", Help: "Calls forwarded to other nodes, by node and gRPC code.",
		}, []string{"node", "code"}),
		shed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_adapter_connections_shed_total",
			Help: "Connections to the adapter that were closed or refused to make room, by reason.",
		}, []string{"reason"}),
	}
	if reg != nil {
		reg.MustRegister(m.calls, m.refused, m.forwarded, m.shed)
	}
	return m
}

// Calls counts calls by handler, method and result. Sessions count their commands in it too.
func (m *Metrics) Calls() *prometheus.CounterVec { return m.calls }
