package target

import "github.com/prometheus/client_golang/prometheus"

// Metrics has the metrics that every dialect counts, each by handler.
type Metrics struct {
	CallSeconds       *prometheus.HistogramVec // by handler and method
	Failures          *prometheus.CounterVec   // by handler and reason
	Backends          *prometheus.GaugeVec
	Retries           *prometheus.CounterVec
	Held              *prometheus.GaugeVec
	Refused           *prometheus.CounterVec
	ClosedWaiting     *prometheus.GaugeVec
	ClosedUndelivered *prometheus.CounterVec // by handler and why
}

// callBuckets range from a handler on this machine to the default timeout of a callback.
var callBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// NewMetrics returns a set that is registered with reg unless reg is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help},
			append([]string{"handler"}, labels...))
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"handler"})
	}
	m := &Metrics{
		CallSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "exgate_handler_call_seconds", Help: "Time remote handlers took to answer a callback.",
			Buckets: callBuckets,
		}, []string{"handler", "method"}),
		Failures: counter("exgate_handler_failures_total",
			"Callbacks of remote handlers that failed, by close reason.", "reason"),
		Backends: gauge("exgate_handler_backends_connected",
			"Connected backends of a remote handler."),
		Retries: counter("exgate_handler_retries_total",
			"Callbacks of remote handlers that were retried for a held device."),
		Held: gauge("exgate_handler_held_connections",
			"Connections with an event that waits for an unreachable handler."),
		Refused: counter("exgate_handler_calls_refused_total",
			"Callbacks that were repeated because a remote handler had no stream for them (REFUSED_STREAM, GOAWAY)."),
		ClosedWaiting: gauge("exgate_handler_closed_waiting",
			"Closed connections whose OnSocketClosed waits for an unreachable handler."),
		ClosedUndelivered: counter("exgate_handler_closed_undelivered_total",
			"OnSocketClosed that were never delivered to a remote handler, by reason for giving up.", "why"),
	}
	if reg != nil {
		reg.MustRegister(m.CallSeconds, m.Failures, m.Backends, m.Retries, m.Held, m.Refused, m.ClosedWaiting,
			m.ClosedUndelivered)
	}
	return m
}
