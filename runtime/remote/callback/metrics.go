package callback

import (
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/runtime/remote/target"
)

// Metrics counts calls and shared streams.
type Metrics struct {
	streamEnds *prometheus.CounterVec
	inFlight   *prometheus.GaugeVec
	waiting    *prometheus.GaugeVec
}

// NewMetrics returns a set that is registered with reg unless reg is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"handler"})
	}
	m := &Metrics{
		streamEnds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_handler_stream_ends_total",
			Help: "Shared streams that a remote handler ended or lost, by gRPC code.",
		}, []string{"handler", "method", "code"}),
		inFlight: gauge("exgate_handler_calls_in_flight",
			"Callbacks of remote handlers in progress."),
		waiting: gauge("exgate_handler_calls_waiting",
			"Callbacks of remote handlers that wait because of max_in_flight or of the streams that the handler "+
				"allows."),
	}
	if reg != nil {
		reg.MustRegister(m.streamEnds, m.inFlight, m.waiting)
	}
	return m
}

// streamEnded counts a shared stream that ended with err. Codes that gRPC does not define count as Unknown: a handler
// may send any number, and each label takes memory.
func (m *Metrics) streamEnded(handler, method string, err error) {
	code := status.Code(err)
	if code > codes.Unauthenticated {
		code = codes.Unknown
	}
	m.streamEnds.WithLabelValues(handler, method, code.String()).Inc()
}

func (m *Metrics) traffic(t *target.Target) *traffic {
	return &traffic{
		m.inFlight.WithLabelValues(t.Name), m.waiting.WithLabelValues(t.Name),
		t.Metrics.Refused.WithLabelValues(t.Name),
	}
}
