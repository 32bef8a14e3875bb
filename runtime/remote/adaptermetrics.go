package remote

import "github.com/prometheus/client_golang/prometheus"

// adapterMetrics counts what comes to an adapter.
type adapterMetrics struct {
	calls     *prometheus.CounterVec
	refused   *prometheus.CounterVec
	forwarded *prometheus.CounterVec
	shed      *prometheus.CounterVec
}

func newAdapterMetrics() adapterMetrics {
	return adapterMetrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_adapter_calls_total",
			Help: "Calls to ConnectionAdapter by the handler of the connection, empty where none was found, and by result.",
		}, []string{"handler", "method", "result"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_adapter_refused_total", Help: "Calls to ConnectionAdapter by callers that were not entitled to them, by reason.",
		}, []string{"reason"}),
		forwarded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_adapter_forwarded_total", Help: "Calls forwarded to other nodes, by node and by gRPC's code.",
		}, []string{"node", "code"}),
		shed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_adapter_connections_shed_total", Help: "Connections to the adapter that were closed or refused to make room for others, by reason.",
		}, []string{"reason"}),
	}
}

func (m *adapterMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.calls, m.refused, m.forwarded, m.shed}
}
