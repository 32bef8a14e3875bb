package callback

import (
	"github.com/exgate/exgate/runtime/remote/target"
)

import "github.com/prometheus/client_golang/prometheus"

// CallerMetrics count calls and shared streams.
type CallerMetrics struct {
	streamEnds *prometheus.CounterVec
	inFlight   *prometheus.GaugeVec
	waiting    *prometheus.GaugeVec
}

// NewCallerMetrics makes a set and registers it with reg, if that is not nil.
func NewCallerMetrics(reg prometheus.Registerer) *CallerMetrics {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"handler"})
	}
	m := &CallerMetrics{
		streamEnds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_handler_stream_ends_total", Help: "Shared streams that a remote handler ended, or that were lost, by gRPC code.",
		}, []string{"handler", "method", "code"}),
		inFlight: gauge("exgate_handler_calls_in_flight", "Callbacks of remote handlers under way."),
		waiting:  gauge("exgate_handler_calls_waiting", "Callbacks of remote handlers that wait because max_in_flight, or as many as the handler allows streams, are under way."),
	}
	if reg != nil {
		reg.MustRegister(m.streamEnds, m.inFlight, m.waiting)
	}
	return m
}

func (m *CallerMetrics) traffic(t *target.Target) *traffic {
	return &traffic{m.inFlight.WithLabelValues(t.Name), m.waiting.WithLabelValues(t.Name), t.Metrics.Refused.WithLabelValues(t.Name)}
}
