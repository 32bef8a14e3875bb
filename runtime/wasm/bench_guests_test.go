package wasm

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// guest is the probe of an SDK: the same protocol in each language.
type guest struct {
	language string
	module   []byte
}

// probes returns the committed probes of the SDKs.
func probes(b *testing.B) (all []guest) {
	b.Helper()
	for _, pattern := range []string{
		"../../hostabi/sdk/*/probe/probe.wasm",
		"../../hostabi/sdk/*/testdata/probe.wasm",
	} {
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
	return Config{
		Module: g.module, Isolation: isolation, Shards: 1,
		Limits: Limits{MemoryPages: 1024, Fuel: 20_000_000, Instances: 20_000},
	}
}

// handler connects a device and returns its handler.
func handler(b *testing.B, e *Engine) gateway.ConnectionHandler {
	h, err := e.NewHandler(silent{gatewaytest.NewDevice()})
	if err != nil {
		b.Fatal(err)
	}
	if err := h.OnSocketCreated(gatewaytest.Info); err != nil {
		b.Fatal(err)
	}
	return h
}

// batch is how many events are timed at once.
const batch = 100

// compare has the handlers take turns for n events each, in batches, and returns the median of each in nanoseconds an
// event: what else the machine does hits all of them.
func compare(b *testing.B, n int, handlers ...gateway.ConnectionHandler) []float64 {
	times := make([][]float64, len(handlers))
	for range max(n/batch, 3) {
		for i, h := range handlers {
			start := time.Now()
			for range batch {
				if err := h.OnReceivedBytes(line); err != nil {
					b.Fatal(err)
				}
			}
			times[i] = append(times[i], float64(time.Since(start).Nanoseconds())/batch)
		}
	}
	medians := make([]float64, len(handlers))
	for i, t := range times {
		medians[i] = median(t)
	}
	return medians
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// BenchmarkLanguages compares what an event costs in each language, with the C guest as the measure.
func BenchmarkLanguages(b *testing.B) {
	var handlers []gateway.ConnectionHandler
	all, c := probes(b), 0
	for i, g := range all {
		handlers = append(handlers, handler(b, engine(b, g.config(IsolationShared))))
		if g.language == "c" {
			c = i
		}
	}
	costs := compare(b, b.N, handlers...)
	for i, g := range all {
		b.ReportMetric(costs[i], g.language+"-ns/event")
		b.ReportMetric(costs[i]/costs[c], g.language+"/c")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkIsolation compares an event in a shared instance with one in an instance of its own.
func BenchmarkIsolation(b *testing.B) {
	for _, g := range probes(b) {
		b.Run(g.language, func(b *testing.B) {
			shared := handler(b, engine(b, g.config(IsolationShared)))
			own := handler(b, engine(b, g.config(IsolationConnection)))
			report(b, "shared", "isolated", compare(b, b.N, shared, own))
		})
	}
}

// BenchmarkMetering compares an event of a guest as it is in its file with one of the same guest metered.
func BenchmarkMetering(b *testing.B) {
	for _, g := range probes(b) {
		b.Run(g.language, func(b *testing.B) {
			c := g.config(IsolationShared)
			metered := handler(b, engine(b, c))
			c.noMetering = true
			report(b, "unmetered", "metered", compare(b, b.N, handler(b, engine(b, c)), metered))
		})
	}
}

func report(b *testing.B, first, second string, costs []float64) {
	b.ReportMetric(costs[0], first+"-ns/event")
	b.ReportMetric(costs[1], second+"-ns/event")
	b.ReportMetric(costs[1]/costs[0], second+"/"+first)
	b.ReportMetric(0, "ns/op")
}
