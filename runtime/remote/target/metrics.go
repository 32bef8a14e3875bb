package target

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what every dialect counts, by handler.
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

// callBuckets reach from a handler on this machine to the default timeout of a callback.
var callBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// NewMetrics makes a set and registers it with reg, if that is not nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"handler"}, labels...))
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"handler"})
	}
	m := &Metrics{
		CallSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "exgate_handler_call_seconds", Help: "How long remote handlers took to answer a callback.", Buckets: callBuckets,
		}, []string{"handler", "method"}),
		Failures:          counter("exgate_handler_failures_total", "Callbacks of remote handlers that failed, by close reason.", "reason"),
		Backends:          gauge("exgate_handler_backends_connected", "Backends of a remote handler that the gateway is connected to."),
		Retries:           counter("exgate_handler_retries_total", "Callbacks of remote handlers that were tried again for a device that is held."),
		Held:              gauge("exgate_handler_held_connections", "Connections whose event waits until the handler can be reached."),
		Refused:           counter("exgate_handler_calls_refused_total", "Callbacks that a remote handler had no stream for (REFUSED_STREAM, GOAWAY) and that were made again."),
		ClosedWaiting:     gauge("exgate_handler_closed_waiting", "Connections that ended and whose OnSocketClosed waits until the handler can be reached."),
		ClosedUndelivered: counter("exgate_handler_closed_undelivered_total", "OnSocketClosed that remote handlers never took, by why it was given up.", "why"),
	}
	if reg != nil {
		reg.MustRegister(m.CallSeconds, m.Failures, m.Backends, m.Retries, m.Held, m.Refused, m.ClosedWaiting, m.ClosedUndelivered)
	}
	return m
}
