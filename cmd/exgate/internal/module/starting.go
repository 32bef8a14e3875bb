package module

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/exgate/exgate/hostabi/conformance"
)

// startTime is the shortest of a few starts of an instance.
func startTime(ctx context.Context, h *host, config []byte) (least time.Duration, memory uint64, err error) {
	for range 5 {
		began := time.Now()
		g, err := h.Start(ctx, config, nil)
		if err != nil {
			return 0, 0, err
		}
		if took := time.Since(began); least == 0 || took < least {
			least = took
		}
		memory = g.Memory()
		if err := g.Close(ctx); err != nil {
			return 0, 0, err
		}
	}
	return least, memory, nil
}

// measureStart measures the start of instances and the memory of idle ones.
func (m *Measurement) measureStart(ctx context.Context, s *Subject) (err error) {
	h := newHost(s)
	defer func() { err = errors.Join(err, h.close(ctx)) }()
	least, memory, err := startTime(ctx, h, s.Config)
	if err != nil {
		return err
	}
	m.Start, m.MemoryKiB = least.Round(time.Microsecond).String(), memory>>10
	m.StartImage, _ = h.engines[string(s.Config)].StartImage()
	m.ResidentKiB, err = idleCost(ctx, h, s.Config)
	return err
}

// idleInstances is the number of idle instances to measure.
const idleInstances = 64

func idleCost(ctx context.Context, h *host, config []byte) (kib uint64, err error) {
	before := resident()
	held := make([]conformance.Guest, 0, idleInstances)
	defer func() {
		for _, g := range held {
			err = errors.Join(err, g.Close(ctx))
		}
	}()
	for range idleInstances {
		g, err := h.Start(ctx, config, nil)
		if err != nil {
			return 0, err
		}
		held = append(held, g)
	}
	if after := resident(); after > before {
		kib = (after - before) / idleInstances >> 10
	}
	return kib, nil
}

// resident returns the resident memory of the process in bytes, or 0 if the system does not report it.
func resident() uint64 {
	debug.FreeOSMemory()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(statm)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}
