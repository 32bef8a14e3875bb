package remote_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/http2"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote"
)

// served is a device whose handler echoes through an adapter that attackers reach too.
type served struct {
	device  net.Conn
	address string
	metrics *prometheus.Registry
}

func newServed(t *testing.T, cfg remote.AdapterConfig) *served {
	t.Helper()
	w := &served{metrics: prometheus.NewRegistry()}
	cfg.Metrics, cfg.Logger = remote.NewMetrics(w.metrics).Adapter, slog.New(slog.DiscardHandler)
	adapter, address := serveAdapter(t, cfg)
	w.address = address
	a := exproto.NewConnectionAdapterClient(dialAdapter(t, address))
	s := &script{on: func(ctx context.Context, e any) error {
		if e, ok := e.(*exproto.ReceivedBytesRequest); ok {
			_, err := a.Send(ctx, &exproto.SendBytesRequest{Conn: e.GetConn(), Bytes: e.GetBytes()})
			return err
		}
		return nil
	}}
	handler, _ := serveHandler(t, "", s)
	w.device = connectDevice(t,
		remote.ClientConfig{Name: "echo", Addresses: []string{handler}, CallTimeout: time.Minute}, adapter)
	w.echoes(t, "before")
	return w
}

func (w *served) echoes(t *testing.T, when string) {
	t.Helper()
	_, err := w.device.Write([]byte("hello"))
	must(t, err)
	got := make([]byte, 5)
	_, err = io.ReadFull(w.device, got)
	must(t, err)
	expect(t, "echo "+when, string(got), "hello")
}

// shed returns how many connections were closed for a reason.
func (w *served) shed(t *testing.T, reason string) float64 {
	t.Helper()
	return gatewaytest.Metric(t, w.metrics, "exgate_adapter_connections_shed_total", reason)
}

// keptByGo is how much memory the runtime and gRPC's pools may keep after a flood.
const keptByGo = 16 << 20

// flood runs attackers until over is set.
type flood struct {
	attackers sync.WaitGroup
	attacks   atomic.Int64
	over      atomic.Bool
}

// endures runs attack until the device was served five times and enough attacks were made. Then it waits for the memory
// and the goroutines to be freed.
func (w *served) endures(t *testing.T, enough int64, attack func(*flood)) {
	t.Helper()
	before, goroutines := gatewaytest.MemoryInUse(), runtime.NumGoroutine()
	var f flood
	for range 2 {
		f.attackers.Go(func() {
			for !f.over.Load() {
				attack(&f)
			}
		})
	}
	start := time.Now()
	echoes := 0
	for ; echoes < 5 || f.attacks.Load() < enough; echoes++ {
		w.echoes(t, "during")
	}
	seconds := time.Since(start).Seconds()
	t.Logf("%.0f attacks a second, %.0f echoes a second", float64(f.attacks.Load())/seconds, float64(echoes)/seconds)
	f.over.Store(true)
	f.attackers.Wait()
	gatewaytest.Eventually(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	gatewaytest.Eventually(t, "the memory", func() bool { return gatewaytest.MemoryInUse() < before+keptByGo })
	w.echoes(t, "after")
}

// Frames that cost their sender little. How gRPC and the guard handle them does not matter here; the device must be
// served.
func TestFloodsOfFrames(t *testing.T) {
	for _, kind := range []struct {
		name  string
		frame func(*rawCaller) error
	}{
		{"pings", func(c *rawCaller) error { return c.WritePing(false, [8]byte{}) }},
		{"settings", func(c *rawCaller) error {
			return c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 16})
		}},
		{"resets", (*rawCaller).openAndReset},
		{"calls without a message", func(c *rawCaller) error { _, err := c.open(); return err }},
		{"messages of 4 GiB", (*rawCaller).openHuge},
		{"headers without an end", (*rawCaller).openWithoutEnd},
		{"empty data", func(c *rawCaller) error { return c.WriteData(1, false, nil) }},
		{"windows", func(c *rawCaller) error { return c.WriteWindowUpdate(0, 1<<30) }},
		{"priorities", func(c *rawCaller) error { return c.WritePriority(3, http2.PriorityParam{StreamDep: 5}) }},
		{"unknown frames", func(c *rawCaller) error { return c.WriteRawFrame(0x77, 0xff, 9, make([]byte, 100)) }},
	} {
		t.Run(kind.name, func(t *testing.T) {
			w := newServed(t, remote.AdapterConfig{})
			w.endures(t, 5_000, func(f *flood) {
				c, err := dialRaw(t, w.address)
				defer c.close()
				for c.drain(); err == nil && !f.over.Load(); f.attacks.Add(1) {
					err = kind.frame(c)
				}
			})
		})
	}
}

func TestFloodsOfCalls(t *testing.T) {
	for _, kind := range []struct {
		name string
		send *exproto.SendBytesRequest
		n    int64
	}{
		{"foreign ids", &exproto.SendBytesRequest{Conn: "AAAAAAAAAAAAAAAAAAAAAAAAAA@gw1", Bytes: []byte("x")}, 20_000},
		{"messages over the limit", &exproto.SendBytesRequest{Conn: "x", Bytes: make([]byte, 17<<20)}, 20},
	} {
		t.Run(kind.name, func(t *testing.T) {
			w := newServed(t, remote.AdapterConfig{})
			w.endures(t, kind.n, func(f *flood) {
				cc := dialAdapter(t, w.address)
				defer cc.Close()
				var streams sync.WaitGroup
				for range min(64, kind.n/10) {
					streams.Go(func() {
						for range 20 {
							_, _ = exproto.NewConnectionAdapterClient(cc).Send(context.Background(), kind.send)
							f.attacks.Add(1)
						}
					})
				}
				streams.Wait()
			})
		})
	}
}

// Idle connections make room for handlers, and never the other way round.
func TestThousandsOfIdleConnections(t *testing.T) {
	w := newServed(t, remote.AdapterConfig{})
	before, goroutines := gatewaytest.MemoryInUse(), runtime.NumGoroutine()
	var idle []*rawCaller
	for range 1500 {
		c, _ := dialRaw(t, w.address)
		idle = append(idle, c)
	}
	gatewaytest.Eventually(t, "all but 511 are closed",
		func() bool { return w.shed(t, "too_many_connections") >= 1500-511 })
	t.Logf("%d MiB with 511 idle connections, both ends", (gatewaytest.MemoryInUse()-before)>>20)
	w.echoes(t, "during")
	cc := dialAdapter(t, w.address)
	r, err := exproto.NewConnectionAdapterClient(cc).Send(t.Context(), &exproto.SendBytesRequest{Conn: "x"})
	must(t, err)
	expect(t, "a new caller", r.GetCode().String(), "CONN_PROCESS_NOT_ALIVE")
	must(t, cc.Close())
	for _, c := range idle {
		c.close()
	}
	gatewaytest.Eventually(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	gatewaytest.Eventually(t, "the memory", func() bool { return gatewaytest.MemoryInUse() < before+keptByGo })
	w.echoes(t, "after")
}
