package wasm

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// BenchmarkStart compares connections whose instance begins as an image with those whose instance runs the module's
// start: the time until OnSocketCreated is done, and the memory of the process (its share of what is mapped, and
// without garbage) for each, when they are idle after one event.
func BenchmarkStart(b *testing.B) {
	for _, g := range probes(b) {
		b.Run(g.language, func(b *testing.B) {
			plain := g.config(IsolationConnection)
			plain.NoStartImage = true
			slow, large := startMany(b, plain, min(b.N, 100))
			fast, small := startMany(b, g.config(IsolationConnection), b.N)
			b.ReportMetric(slow, "module-us/start")
			b.ReportMetric(fast, "image-us/start")
			b.ReportMetric(slow/fast, "module/image")
			b.ReportMetric(large, "module-KiB")
			b.ReportMetric(small, "image-KiB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkIsolatedGuests holds 10,000 connections with an instance each, whatever b.N is.
func BenchmarkIsolatedGuests(b *testing.B) {
	for _, g := range probes(b) {
		b.Run(g.language, func(b *testing.B) {
			const connections = 10_000
			for range b.N {
				us, kib := startMany(b, g.config(IsolationConnection), connections)
				b.ReportMetric(us, "us/start")
				b.ReportMetric(kib, "KiB/instance")
				b.ReportMetric(kib*connections/1024, "MiB")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// startMany connects n devices that send a line each, and returns the median of their starts in microseconds, and the
// KiB for each.
func startMany(b *testing.B, c Config, n int) (us, kib float64) {
	e, err := New(b.Context(), Config{
		Name: "test", Module: c.Module, Isolation: c.Isolation, Limits: c.Limits, Logger: quiet,
		NoStartImage: c.NoStartImage,
	})
	if err != nil {
		b.Fatal(err)
	}
	before := memory(b)
	handlers := make([]gateway.ConnectionHandler, 0, n)
	var starts []float64
	for range n {
		start := time.Now()
		handlers = append(handlers, handler(b, e))
		starts = append(starts, float64(time.Since(start).Nanoseconds())/1000)
	}
	us = median(starts)
	for _, h := range handlers {
		if err := h.OnReceivedBytes(line); err != nil {
			b.Fatal(err)
		}
	}
	e.isolated.freeIdleStacks()
	e.isolated.freeIdleStacks()
	kib = (memory(b) - before) / 1024 / float64(n)
	for _, h := range handlers {
		if err := h.OnSocketClosed(gateway.ReasonNormal); err != nil {
			b.Fatal(err)
		}
	}
	if err := e.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	return us, kib
}

// memory is the memory of the process in bytes: its proportional set size where available, else the live bytes on
// the heap.
func memory(b *testing.B) float64 {
	debug.FreeOSMemory()
	rollup, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	_, after, _ := strings.Cut(string(rollup), "\nPss:")
	kib, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib * 1024
}
