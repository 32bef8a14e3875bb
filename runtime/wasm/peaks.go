package wasm

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/tetratelabs/wazero/api"
)

// Peaks are the most that events and instances of an engine have used.
type Peaks struct {
	Fuel   uint64 // of an event; 0 if the module is not metered
	Memory uint64 // of an instance, in bytes
}

// Peaks returns the most that was used since the engine was made.
func (e *Engine) Peaks() Peaks {
	return Peaks{Fuel: e.peaks.fuel.Load(), Memory: e.peaks.memory.Load()}
}

type peaks struct{ fuel, memory atomic.Uint64 }

// event records what an event used, and the memory after it.
func (p *peaks) event(fuel uint64, memory api.Memory) {
	raise(&p.fuel, fuel)
	raise(&p.memory, uint64(memory.Size()))
}

// raise stores v if it exceeds the stored value.
func raise(to *atomic.Uint64, v uint64) {
	for old := to.Load(); v > old; old = to.Load() {
		if to.CompareAndSwap(old, v) {
			return
		}
	}
}

// shortDigest is the length of the digests that name versions in metrics.
const shortDigest = 12

// peakMetrics has the peaks of the engines that are open, by handler and version. Two engines of a version share a
// series.
type peakMetrics struct {
	fuel, memory *prometheus.Desc

	mu      sync.Mutex
	engines map[*Engine]struct{} // guarded by mu
}

func newPeakMetrics() *peakMetrics {
	labels := []string{"handler", "version"}
	return &peakMetrics{
		fuel: prometheus.NewDesc("exgate_wasm_event_fuel_peak",
			"The most fuel that an event used, by the version of the guest.", labels, nil),
		memory: prometheus.NewDesc("exgate_wasm_memory_peak_bytes",
			"The most memory that an instance had, by the version of the guest.", labels, nil),
		engines: map[*Engine]struct{}{},
	}
}

func (p *peakMetrics) add(e *Engine) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.engines[e] = struct{}{}
}

func (p *peakMetrics) remove(e *Engine) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.engines, e)
}

// Describe implements prometheus.Collector.
func (p *peakMetrics) Describe(descs chan<- *prometheus.Desc) {
	descs <- p.fuel
	descs <- p.memory
}

// Collect implements prometheus.Collector.
func (p *peakMetrics) Collect(metrics chan<- prometheus.Metric) {
	for of, peak := range p.read() {
		metrics <- prometheus.MustNewConstMetric(p.fuel, prometheus.GaugeValue, float64(peak.Fuel), of[:]...)
		metrics <- prometheus.MustNewConstMetric(p.memory, prometheus.GaugeValue, float64(peak.Memory), of[:]...)
	}
}

// read returns the peaks by handler and version.
func (p *peakMetrics) read() map[[2]string]Peaks {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[[2]string]Peaks, len(p.engines))
	for e := range p.engines {
		of, peak := [2]string{e.config.Name, e.digest[:shortDigest]}, e.Peaks()
		all[of] = Peaks{Fuel: max(all[of].Fuel, peak.Fuel), Memory: max(all[of].Memory, peak.Memory)}
	}
	return all
}
