package remote

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts calls to handlers and from them. One set may serve any number of clients and adapters.
type Metrics struct {
	callSeconds *prometheus.HistogramVec
	failures    *prometheus.CounterVec
	streamEnds  *prometheus.CounterVec
	dropped     *prometheus.CounterVec // in sessions
	delivery    deliveryMetrics
	adapter     adapterMetrics
}

// callBuckets reach from a handler on this machine to the default timeout of a callback.
var callBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// NewMetrics makes a set and registers it with reg. If reg is nil, the set counts unseen.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		callSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "exgate_handler_call_seconds", Help: "How long remote handlers took to answer a callback.", Buckets: callBuckets,
		}, []string{"handler", "method"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_handler_failures_total", Help: "Callbacks of remote handlers that failed, by close reason.",
		}, []string{"handler", "reason"}),
		streamEnds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_handler_stream_ends_total", Help: "Shared streams that a remote handler ended, or that were lost, by gRPC code.",
		}, []string{"handler", "method", "code"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_session_dropped_total", Help: "What remote handlers and the gateway said in sessions for nobody: see what.",
		}, []string{"handler", "what"}),
		delivery: newDeliveryMetrics(),
		adapter:  newAdapterMetrics(),
	}
	if reg != nil {
		reg.MustRegister(m.callSeconds, m.failures, m.streamEnds, m.dropped)
		reg.MustRegister(m.delivery.collectors()...)
		reg.MustRegister(m.adapter.collectors()...)
	}
	return m
}
