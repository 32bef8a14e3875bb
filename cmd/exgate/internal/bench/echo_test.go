package bench

import (
	"bytes"
	"runtime"
	"slices"
	"testing"
)

// rounds is how often reference and subject take turns, so that a noisy moment hits both.
const rounds = 9

// BenchmarkEcho: 64 B ping-pong over TCP, 50 connections. The goal is 0.85 of a plain Go echo server.
func BenchmarkEcho(b *testing.B) {
	message := bytes.Repeat([]byte("x"), 64)
	plain := connect(b, plainEcho(b), 50)
	for _, x := range []struct {
		name string
		addr func(b *testing.B) string
	}{
		{"go", func(b *testing.B) string { return serve(b, goEcho{}, nil) }},
		{"wasm", func(b *testing.B) string { return serve(b, wasmEngine(b, echoGuest), nil) }},
	} {
		b.Run(x.name, func(b *testing.B) {
			subject := connect(b, x.addr(b), 50)
			var reference, measured, allocs []float64
			b.ResetTimer()
			for range rounds {
				reference = append(reference, plain.pingPong(b, b.N/rounds, message))
				before := mallocs()
				measured = append(measured, subject.pingPong(b, b.N/rounds, message))
				allocs = append(allocs, float64(mallocs()-before)/float64(b.N/rounds+1))
			}
			b.ReportMetric(slices.Min(allocs), "allocs/message")
			b.ReportMetric(median(reference), "plain/s")
			b.ReportMetric(median(measured), "exgate/s")
			b.ReportMetric(median(measured)/median(reference), "ratio")
		})
	}
}

// mallocs counts the allocations of the process, both ends of each connection included.
func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}
