package remote

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
)

// deliveryMetrics count what waits on its way to a handler.
type deliveryMetrics struct {
	backends  *prometheus.GaugeVec
	retries   *prometheus.CounterVec
	held      *prometheus.GaugeVec
	inFlight  *prometheus.GaugeVec
	waiting   *prometheus.GaugeVec
	refused   *prometheus.CounterVec
	untold    *prometheus.GaugeVec
	neverTold *prometheus.CounterVec
}

func newDeliveryMetrics() deliveryMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"handler"}, labels...))
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"handler"})
	}
	return deliveryMetrics{
		backends:  gauge("exgate_handler_backends_connected", "Backends of a remote handler that the gateway is connected to."),
		retries:   counter("exgate_handler_retries_total", "Callbacks of remote handlers that were tried again for a device that is held."),
		held:      gauge("exgate_handler_held_connections", "Connections whose event waits until the handler can be reached."),
		inFlight:  gauge("exgate_handler_calls_in_flight", "Callbacks of remote handlers under way."),
		waiting:   gauge("exgate_handler_calls_waiting", "Callbacks of remote handlers that wait because max_in_flight, or as many as the handler allows streams, are under way."),
		refused:   counter("exgate_handler_calls_refused_total", "Callbacks that a remote handler had no stream for (REFUSED_STREAM, GOAWAY) and that were made again."),
		untold:    gauge("exgate_handler_closed_waiting", "Connections that ended and whose OnSocketClosed waits until the handler can be reached."),
		neverTold: counter("exgate_handler_closed_undelivered_total", "OnSocketClosed that remote handlers never took, by why it was given up.", "why"),
	}
}

func (m *deliveryMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.backends, m.retries, m.held, m.inFlight, m.waiting, m.refused, m.untold, m.neverTold}
}

func (m *deliveryMetrics) traffic(handler string) *traffic {
	return &traffic{m.inFlight.WithLabelValues(handler), m.waiting.WithLabelValues(handler), m.refused.WithLabelValues(handler)}
}

func (m *deliveryMetrics) farewells(handler string, say func(*farewell) farewellFate, log *slog.Logger) *farewells {
	return newFarewells(say, log, m.untold.WithLabelValues(handler), m.neverTold.MustCurryWith(prometheus.Labels{"handler": handler}))
}
