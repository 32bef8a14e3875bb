package wasm

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// syncBuffer is a log that tests read.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func live(e *Engine) (n int) {
	for _, s := range e.shards {
		if s.current.Load() != nil {
			n++
		}
	}
	return n
}

// expectDeath makes an event of d end its instance, and checks which connections that affects.
func expectDeath(t *testing.T, e *Engine, fail func(d *gatewaytest.Device) error, want gateway.CloseReason) {
	t.Helper()
	d, elsewhere := gatewaytest.Connect(t, e), gatewaytest.Connect(t, e)
	neighbour := gatewaytest.Connect(t, e)
	for e.Isolation() == IsolationShared && instanceOf(neighbour) != instanceOf(d) {
		neighbour = gatewaytest.Connect(t, e)
	}
	err := fail(d)
	if err == nil || !gateway.ReasonOf(err).Is(want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	must(t, d.Handler.OnSocketClosed(want))
	if e.Isolation() == IsolationShared {
		expectLost(t, neighbour)
	} else {
		expectLife(t, neighbour)
	}
	expectLife(t, elsewhere)
	eventually(t, "a new instance", func() bool { return live(e) == len(e.shards) })
	expectLife(t, gatewaytest.Connect(t, e))
}

// expectLost checks a connection whose shard another one's event ended.
func expectLost(t *testing.T, d *gatewaytest.Device) {
	t.Helper()
	eventually(t, "the neighbour closes", func() bool { return d.Reason() == gateway.ReasonGuestShardLost.Name })
	if err := d.Receive("x"); !gateway.ReasonOf(err).Is(gateway.ReasonGuestShardLost) {
		t.Errorf("an event of the neighbour after the death: %v", err)
	}
	must(t, d.Handler.OnSocketClosed(gateway.ReasonGuestShardLost))
}

// expectLife checks a connection that the fault of another must not affect.
func expectLife(t *testing.T, d *gatewaytest.Device) {
	t.Helper()
	if err := d.Receive("x"); err != nil || d.Reason() != "" {
		t.Errorf("another connection is hit: %v %s", err, d.Reason())
	}
}

// Recursion that is not bounded by the guest's own stack in memory ends at the fuel, or at the bound of the compiler's
// stack.
func TestRecursionOnTheHostStack(t *testing.T) {
	recurse := []byte{0x20, 0, 0x20, 1, 0x20, 2, 0x10, 2, 0x0b}
	module := wasmtest.Guest().With("exproto_v1_bytes", recurse...).Bytes()
	for _, c := range []struct {
		fuel uint32
		want gateway.CloseReason
	}{
		{2_000_000, gateway.ReasonGuestOutOfFuel},
		{maxFuel, gateway.ReasonGuestTrap},
	} {
		d := gatewaytest.Connect(t, engine(t, Config{Module: module, Shards: 1, Limits: Limits{Fuel: c.fuel}}))
		if err := d.Receive("x"); !gateway.ReasonOf(err).Is(c.want) {
			t.Errorf("with %d units of fuel: %v", c.fuel, err)
		}
	}
}

// A guest that grows without end is stopped at its limit, and may continue.
func TestMemoryStaysBounded(t *testing.T) {
	d := gatewaytest.Connect(
		t,
		engine(t, Config{Module: file(t, "hostile"), Shards: 1, Limits: Limits{MemoryPages: 64}}),
	)
	must(t, d.Receive("g"))
	if size := instanceOf(d).memory.Size(); size > 64<<16 {
		t.Errorf("%d bytes of memory", size)
	}
	must(t, d.Receive("x"))
}

func TestTrapInEachEvent(t *testing.T) {
	trap := []byte{0x00, 0x0b}
	guest := wasmtest.Guest()
	for _, c := range []struct {
		name   string
		module wasmtest.Module
		event  func(h gateway.ConnectionHandler) error
	}{
		{"bytes", guest.With("exproto_v1_bytes", trap...), func(h gateway.ConnectionHandler) error {
			return errors.Join(h.OnSocketCreated(gatewaytest.Info), h.OnReceivedBytes(nil))
		}},
		{
			"created", guest.With("exproto_v1_event", trap...),
			func(h gateway.ConnectionHandler) error { return h.OnSocketCreated(gatewaytest.Info) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := engine(t, Config{Module: c.module.Bytes(), Shards: 1})
			h, err := e.NewHandler(gatewaytest.NewDevice())
			must(t, err)
			if err := c.event(h); !gateway.ReasonOf(err).Is(gateway.ReasonGuestTrap) {
				t.Errorf("got %v", err)
			}
			must(t, h.OnSocketClosed(gateway.ReasonGuestTrap))
			eventually(t, "a new instance", func() bool { return live(e) == 1 })
		})
	}
}

func TestTrapWhileClosing(t *testing.T) {
	// exproto_v1_event traps for kind 2 only.
	code := []byte{0x20, 0, 0x41, 2, 0x46, 0x04, 0x40, 0x00, 0x0b, 0x41, 0, 0x0b}
	e := engine(t, Config{Module: wasmtest.Guest().With("exproto_v1_event", code...).Bytes(), Shards: 1})
	d, neighbour := gatewaytest.Connect(t, e), gatewaytest.Connect(t, e)
	if err := d.Handler.OnSocketClosed(gateway.ReasonTCPClosed); !gateway.ReasonOf(err).Is(gateway.ReasonGuestTrap) {
		t.Errorf("got %v", err)
	}
	eventually(t, "the neighbour closes",
		func() bool { return neighbour.Reason() == gateway.ReasonGuestShardLost.Name })
	must(t, neighbour.Handler.OnSocketClosed(gateway.ReasonGuestShardLost))
}

func TestNoLiveInstance(t *testing.T) {
	e := engine(t, Config{Module: file(t, "hostile"), Shards: 1})
	in := e.shards[0].current.Swap(nil)
	_, err := e.NewHandler(gatewaytest.NewDevice())
	if err == nil || !gateway.ReasonOf(err).Is(gateway.ReasonHandlerUnavailable) {
		t.Errorf("got %v", err)
	}
	e.shards[0].current.Store(in)
}

func TestWaitingIsBounded(t *testing.T) {
	e := engine(t, Config{Module: file(t, "hostile"), Shards: 1, Limits: Limits{Waiting: 1}})
	d, other := gatewaytest.Connect(t, e), gatewaytest.Connect(t, e)
	in := instanceOf(d)
	in.mu.Lock()
	result := make(chan error)
	go func() { result <- d.Receive("x") }()
	eventually(t, "an event waits", func() bool { return in.waiting.Load() == 1 })
	if err := other.Receive("x"); !gateway.ReasonOf(err).Is(gateway.ReasonHandlerTimeout) {
		t.Errorf("got %v", err)
	}
	in.mu.Unlock()
	must(t, <-result)
	must(t, other.Handler.OnSocketClosed(gateway.ReasonHandlerTimeout))
}

// Faults are counted and logged, and the guest's text cannot forge log lines.
func TestFaultIsReported(t *testing.T) {
	var log syncBuffer
	set := NewMetrics(prometheus.NewRegistry())
	e := engine(
		t,
		Config{Module: file(t, "hostile"), Shards: 1, Metrics: set, Logger: slog.New(slog.NewTextHandler(&log, nil))},
	)
	d := gatewaytest.Connect(t, e)
	if d.Receive("t") == nil {
		t.Fatal("no error")
	}
	eventually(t, "a new instance", func() bool { return live(e) == 1 })
	if got := testutil.ToFloat64(set.deaths.WithLabelValues("test", "guest_trap")); got != 1 {
		t.Errorf("%v deaths", got)
	}
	if got := testutil.ToFloat64(set.instances.WithLabelValues("test")); got != 1 {
		t.Errorf("%v instances", got)
	}
	if !strings.Contains(log.String(), "reason=guest_trap") || !strings.Contains(log.String(), "restarted") {
		t.Errorf("the log has\n%s", log.String())
	}
}

func TestRestartDelayGrows(t *testing.T) {
	want := []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond}
	for n, d := range want {
		if got := restartDelay(n); got != d {
			t.Errorf("after %d restarts: %v, want %v", n, got, d)
		}
	}
	if got := restartDelay(1000); got != maxRestartDelay {
		t.Errorf("at last: %v", got)
	}
}

func TestCloseStopsRestarting(t *testing.T) {
	e, err := New(t.Context(), Config{Name: "test", Module: file(t, "hostile"), Shards: 1, Logger: quiet})
	must(t, err)
	for range 4 {
		eventually(t, "an instance", func() bool { return live(e) == 1 })
		d := gatewaytest.Connect(t, e)
		if d.Receive("t") == nil {
			t.Fatal("no error")
		}
		must(t, d.Handler.OnSocketClosed(gateway.ReasonGuestTrap))
	}
	must(t, e.Close(t.Context()))
}

func TestEventsAreCounted(t *testing.T) {
	set := NewMetrics(prometheus.NewRegistry())
	d := gatewaytest.Connect(t, engine(t, Config{Module: file(t, "echo"), Shards: 1, Metrics: set}))
	for range 3 {
		must(t, d.Receive("x"))
	}
	must(t, d.Handler.OnSocketClosed(gateway.ReasonTCPClosed))
	for event, want := range map[string]float64{"created": 1, "bytes": 3, "closed": 1, "timer": 0} {
		if got := testutil.ToFloat64(set.events.WithLabelValues("test", event)); got != want {
			t.Errorf("%v %s events, want %v", got, event, want)
		}
	}
	if got := testutil.ToFloat64(set.hostCalls.WithLabelValues("test")); got != 3 {
		t.Errorf("%v host calls", got)
	}
}
