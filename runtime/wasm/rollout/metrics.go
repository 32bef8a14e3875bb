package rollout

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts the versions of modules. One set serves all modules.
type Metrics struct {
	info        *prometheus.GaugeVec
	connections *prometheus.GaugeVec
	faults      *prometheus.CounterVec
	swaps       *prometheus.CounterVec
	rollbacks   *prometheus.CounterVec
}

// NewMetrics creates a set and registers it with reg. If reg is nil, the set is not registered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		info: gauge("exgate_wasm_module_info", "1 for each loaded version of a module, by its digest and state.",
			"module", "version", "state"),
		connections: gauge("exgate_wasm_module_connections",
			"Connections now open, by the version of the module.", "module", "version"),
		faults: counter("exgate_wasm_module_faulted_connections_total",
			"Connections that a fault of the guest in one of their own events ended.", "module", "version"),
		swaps: counter("exgate_wasm_module_swaps_total", "Versions that became the serving one, except by a rollback.",
			"module"),
		rollbacks: counter("exgate_wasm_module_rollbacks_total", "Versions that the guard rolled back.", "module"),
	}
	if reg != nil {
		reg.MustRegister(m.info, m.connections, m.faults, m.swaps, m.rollbacks)
	}
	return m
}

func (m *Metrics) connected(module string, v *version, n float64) {
	m.connections.WithLabelValues(module, v.short()).Add(n)
}

// forget removes the series of a module.
func (m *Metrics) forget(module string) {
	of := prometheus.Labels{"module": module}
	m.info.DeletePartialMatch(of)
	m.connections.DeletePartialMatch(of)
	m.faults.DeletePartialMatch(of)
}

// report sets the info series of the module's versions. The caller holds mu.
func (m *Module) report() {
	if m.closed {
		return
	}
	m.metrics.info.DeletePartialMatch(prometheus.Labels{"module": m.config.Name})
	for _, v := range m.versions() {
		m.metrics.info.WithLabelValues(m.config.Name, v.short(), string(v.state)).Set(1)
	}
}

// forgetVersion removes the gauge of v, unless another version has the same file. The caller holds mu.
func (m *Module) forgetVersion(v *version) {
	for _, other := range m.versions() {
		if other.digest == v.digest {
			return
		}
	}
	m.metrics.connections.DeleteLabelValues(m.config.Name, v.short())
}
