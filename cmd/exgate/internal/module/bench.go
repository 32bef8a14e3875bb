package module

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/wasm"
)

// BenchOptions configures [Bench].
type BenchOptions struct {
	// what devices send, one after another and then from the start again; a single piece is repeated by the same device
	Sessions []Session
	For      time.Duration     // how long to measure
	Progress func(what string) // reports progress. Optional
}

// Measurement is the result of [Bench].
type Measurement struct {
	Events          uint64  `json:"events"`
	Devices         uint64  `json:"devices"` // connections; more than one if the module closes them
	EventsPerSecond float64 `json:"events_per_second"`
	Nanoseconds     float64 `json:"ns_per_event"`
	BytesPerSecond  float64 `json:"bytes_per_second"`
	Fuel            float64 `json:"fuel_per_event"` // mean of all events, including results
	PeakFuel        uint64  `json:"peak_fuel"`      // of an event
	PeakMemoryKiB   uint64  `json:"peak_memory_kib"`
	Start           string  `json:"start"` // of an instance
	StartImage      bool    `json:"start_image"`
	MemoryKiB       uint64  `json:"memory_kib"` // of a new instance
	// memory of the process for each idle instance; 0 if the system does not report it
	ResidentKiB uint64 `json:"resident_kib,omitempty"`
}

// fuelMetric is the histogram of fuel per event.
const fuelMetric = "exgate_wasm_event_fuel"

// Bench measures a module in the gateway's engine, on one instance and without sockets.
func Bench(ctx context.Context, s *Subject, o BenchOptions) (m Measurement, err error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	o.Progress("starting instances")
	if err := m.measureStart(ctx, s); err != nil {
		return m, err
	}
	registry := prometheus.NewRegistry()
	engine, err := wasm.New(ctx, wasm.Config{
		Name: "bench", Module: s.Module, GuestConfig: s.Config, Limits: s.Limits, Shards: 1,
		Logger: slog.New(slog.DiscardHandler), Metrics: wasm.NewMetrics(registry),
	})
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, engine.Close(ctx)) }()
	if err := m.measureEvents(ctx, engine, o); err != nil {
		return m, err
	}
	peaks := engine.Peaks()
	m.PeakFuel, m.PeakMemoryKiB = peaks.Fuel, peaks.Memory>>10
	m.Fuel, err = meanOf(registry, fuelMetric)
	return m, err
}

// benchRound is the number of sessions between two readings of the clock.
const benchRound = 128

// measureEvents runs events until the time is up.
func (m *Measurement) measureEvents(ctx context.Context, engine *wasm.Engine, o BenchOptions) error {
	l := &load{factory: engine}
	began, bytes, turn := time.Now(), 0, 0
	alone := len(o.Sessions) == 1 && len(o.Sessions[0]) == 1
	reported := began
	for now := began; now.Sub(began) < o.For && ctx.Err() == nil; now = time.Now() {
		for range benchRound {
			n, err := l.session(o.Sessions[turn%len(o.Sessions)], alone)
			if err != nil {
				return withStack(err)
			}
			bytes, turn = bytes+n, turn+1
		}
		if now.Sub(reported) > 200*time.Millisecond {
			reported = now
			o.Progress(fmt.Sprintf("%d events, %v of %v", l.events, now.Sub(began).Round(100*time.Millisecond), o.For))
		}
	}
	took := time.Since(began)
	m.Events, m.Devices = l.events, l.devices
	m.EventsPerSecond = float64(m.Events) / took.Seconds()
	m.Nanoseconds = float64(took.Nanoseconds()) / float64(m.Events)
	m.BytesPerSecond = float64(bytes) / took.Seconds()
	return errors.Join(l.disconnect(gateway.ReasonTCPClosed), ctx.Err())
}

// meanOf returns the mean of a histogram.
func meanOf(from prometheus.Gatherer, name string) (float64, error) {
	families, err := from.Gather()
	if err != nil {
		return 0, fmt.Errorf("reading the metrics: %w", err)
	}
	for _, f := range families {
		if f.GetName() == name && len(f.GetMetric()) > 0 {
			h := f.GetMetric()[0].GetHistogram()
			return h.GetSampleSum() / float64(max(h.GetSampleCount(), 1)), nil
		}
	}
	return 0, fmt.Errorf("missing metric %s", name)
}
