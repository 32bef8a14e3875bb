package wasm

import (
	"time"

	"github.com/exgate/exgate/hostabi"
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what guests do. One set serves all engines.
type Metrics struct {
	events    *prometheus.CounterVec
	deaths    *prometheus.CounterVec
	fuel      *prometheus.HistogramVec
	hostCalls *prometheus.CounterVec
	instances *prometheus.GaugeVec
	starts    *prometheus.HistogramVec
	dropped   *prometheus.CounterVec
	limits    *prometheus.CounterVec
	apart     *prometheus.CounterVec
	peaks     *peakMetrics
}

// NewMetrics creates a set and registers it with reg. If reg is nil, the set is not registered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		events: counter("exgate_wasm_events_total", "Events that guests finished.", "handler", "event"),
		deaths: counter("exgate_wasm_instance_deaths_total", "Guest instances that a fault ended, by close reason.",
			"handler", "reason"),
		fuel: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "exgate_wasm_event_fuel", Help: "Fuel used by an event.",
			Buckets: prometheus.ExponentialBuckets(16, 8, 7),
		}, []string{"handler"}),
		hostCalls: counter("exgate_wasm_host_calls_total", "Calls of guests to the host.", "handler"),
		instances: prometheus.NewGaugeVec(
			prometheus.GaugeOpts{Name: "exgate_wasm_instances", Help: "Live guest instances."},
			[]string{"handler"},
		),
		starts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "exgate_wasm_start_seconds",
			Help:    "Time to start a guest instance, by what it starts from (module or image).",
			Buckets: prometheus.ExponentialBuckets(16e-6, 4, 9),
		}, []string{"handler", "from"}),
		dropped: counter("exgate_wasm_dropped_total", "Messages, results and log lines dropped, by kind and reason.",
			"handler", "what"),
		limits: counter("exgate_wasm_limit_hits_total",
			"Times that a guest or its connections reached a limit, by its name.", "handler", "limit"),
		apart: counter(
			"exgate_wasm_connections_apart_total",
			"Connections that got an instance apart from the shared ones, by reason (suspect: an event of "+
				"their address ended an instance; alarm: instances keep failing; restart: none was live).",
			"handler",
			"why",
		),
		peaks: newPeakMetrics(),
	}
	if reg != nil {
		reg.MustRegister(m.events, m.deaths, m.fuel, m.hostCalls, m.instances, m.starts, m.dropped, m.limits, m.apart,
			m.peaks)
	}
	return m
}

// The values of what in exgate_wasm_dropped_total.
const (
	droppedMessageSize = "message_too_large"  // the guest has no buffer for it
	droppedLogLine     = "log_line_rate"      // the guest exceeds its rate of lines
	droppedEndLine     = "end_line_rate"      // lines about the ends of instances exceed their rate
	droppedResult      = "result_after_close" // the result of a call whose connection had closed
)

// kindBytes stands for exproto_v1_bytes, which has no kind of its own.
const kindBytes hostabi.Kind = 0

// handlerMetrics is Metrics with a handler's label resolved, for the hot path.
type handlerMetrics struct {
	set       *Metrics
	name      string
	events    [hostabi.KindAlarm + 1]prometheus.Counter
	fuel      prometheus.Observer
	hostCalls prometheus.Counter
	instances prometheus.Gauge
}

func (m *Metrics) handler(name string) *handlerMetrics {
	h := &handlerMetrics{
		set: m, name: name, fuel: m.fuel.WithLabelValues(name),
		hostCalls: m.hostCalls.WithLabelValues(name), instances: m.instances.WithLabelValues(name),
	}
	for kind := range h.events {
		h.events[kind] = m.events.WithLabelValues(name, hostabi.Kind(kind).String())
	}
	return h
}

func (h *handlerMetrics) died(reason string) {
	h.set.deaths.WithLabelValues(h.name, reason).Inc()
	h.instances.Dec()
}

// hit counts that a limit was reached.
func (h *handlerMetrics) hit(limit string) { h.set.limits.WithLabelValues(h.name, limit).Inc() }

func (h *handlerMetrics) drop(what string) { h.set.dropped.WithLabelValues(h.name, what).Inc() }

// The values of from in exgate_wasm_start_seconds.
const (
	fromModule = "module"
	fromImage  = "image"
)

func (h *handlerMetrics) started(from string, took time.Duration) {
	h.set.starts.WithLabelValues(h.name, from).Observe(took.Seconds())
}
