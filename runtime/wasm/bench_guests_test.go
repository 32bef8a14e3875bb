package wasm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// guest is the probe of an SDK: the same protocol in each language.
type guest struct {
	language string
	module   []byte
}

// probes returns the committed probes of the SDKs.
func probes(b *testing.B) (all []guest) {
	b.Helper()
	for _, pattern := range []string{"../../hostabi/sdk/*/probe/probe.wasm", "../../hostabi/sdk/*/testdata/probe.wasm"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			b.Fatal(err)
		}
		for _, p := range paths {
			module, err := os.ReadFile(p)
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, guest{strings.Split(filepath.ToSlash(p), "/")[4], module})
		}
	}
	if len(all) == 0 {
		b.Fatal("no probes")
	}
	return all
}

// line is 64 bytes that a probe sends back but for the command.
var line = []byte("echo " + strings.Repeat("x", 58) + "\n")

func (g guest) config(isolation Isolation) Config {
	return Config{Module: g.module, Isolation: isolation, Shards: 1, Limits: Limits{MemoryPages: 1024, Fuel: 20_000_000, Instances: 20_000}}
}

// handler connects a device that nobody looks at.
func handler(b *testing.B, e *Engine) gateway.ConnectionHandler {
	h, err := e.NewHandler(silent{&device{name: "dev"}})
	if err != nil {
		b.Fatal(err)
	}
	if err := h.OnSocketCreated(info); err != nil {
		b.Fatal(err)
	}
	return h
}

// perEvent is what n events take, in nanoseconds each.
func perEvent(b *testing.B, h gateway.ConnectionHandler, n int) float64 {
	start := time.Now()
	for range n {
		if err := h.OnReceivedBytes(line); err != nil {
			b.Fatal(err)
		}
	}
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

// BenchmarkLanguages compares what an event costs in each language, with the C guest as the measure.
func BenchmarkLanguages(b *testing.B) {
	costs, languages := map[string]float64{}, []string{}
	for _, g := range probes(b) {
		costs[g.language] = perEvent(b, handler(b, engine(b, g.config(IsolationShared))), b.N)
		languages = append(languages, g.language)
	}
	for _, l := range languages {
		b.ReportMetric(costs[l], l+"-ns/event")
		b.ReportMetric(costs[l]/costs["c"], l+"/c")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkIsolation compares an event in a shared instance with one in an instance of its own.
func BenchmarkIsolation(b *testing.B) {
	for _, g := range probes(b) {
		b.Run(g.language, func(b *testing.B) {
			shared := handler(b, engine(b, g.config(IsolationShared)))
			own := handler(b, engine(b, g.config(IsolationConnection)))
			before := perEvent(b, shared, b.N)
			after := perEvent(b, own, b.N)
			b.ReportMetric(before, "shared-ns/event")
			b.ReportMetric(after, "isolated-ns/event")
			b.ReportMetric(after/before, "isolated/shared")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkMetering compares an event of a metered guest with one of the same guest as it is in its file.
func BenchmarkMetering(b *testing.B) {
	for _, g := range probes(b) {
		b.Run(g.language, func(b *testing.B) {
			c := g.config(IsolationShared)
			metered := handler(b, engine(b, c))
			c.noMetering = true
			plain := handler(b, engine(b, c))
			without := perEvent(b, plain, b.N)
			with := perEvent(b, metered, b.N)
			b.ReportMetric(without, "unmetered-ns/event")
			b.ReportMetric(with, "metered-ns/event")
			b.ReportMetric(with/without, "metered/unmetered")
			b.ReportMetric(0, "ns/op")
		})
	}
}
