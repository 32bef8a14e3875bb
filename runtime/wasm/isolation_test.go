package wasm

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/exgate/exgate/runtime/gateway"
)

// A fault ends the one connection whose event it was.
func TestIsolatedFaultEndsOneConnection(t *testing.T) {
	e := engine(t, Config{Module: file(t, "hostile"), Isolation: IsolationConnection})
	bad, neighbour := connect(t, e), connect(t, e)
	if err := bad.receive("t"); !gateway.ReasonOf(err).Is(gateway.ReasonGuestTrap) {
		t.Fatalf("got %v", err)
	}
	if err := bad.receive("x"); err == nil {
		t.Error("an event after the fault was taken")
	}
	must(t, bad.handler.OnSocketClosed(gateway.ReasonGuestTrap))
	neighbour.take()
	must(t, neighbour.receive("x"))
	neighbour.expect(t, `send "x"`)
	must(t, neighbour.handler.OnSocketClosed(gateway.ReasonTCPClosed))
	if got, want := e.Stats(), (Stats{Connections: 2, Faults: 1}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	if n := len(e.isolated.live); n != 0 || e.isolated.held != 0 {
		t.Errorf("%d instances live, %d held", n, e.isolated.held)
	}
}

// What isolated guests log, and what is logged about their ends, is bounded for all of them together.
func TestIsolatedLogIsBounded(t *testing.T) {
	var log syncBuffer
	e := engine(t, Config{
		Module: file(t, "scenario"), Isolation: IsolationConnection, Limits: Limits{LogLines: 2}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	for range 10 {
		must(t, connect(t, e).receive("Lx"))
	}
	if n := strings.Count(log.String(), "msg=guest "); n < 10 || n > 20 {
		t.Errorf("%d lines of guests", n)
	}
	bad := engine(t, Config{
		Module: file(t, "hostile"), Isolation: IsolationConnection, Limits: Limits{LogLines: 2}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	for range 30 {
		if connect(t, bad).receive("t") == nil {
			t.Fatal("no fault")
		}
	}
	if n := strings.Count(log.String(), "guest instance ended"); n < 10 || n > 20 {
		t.Errorf("%d lines about ends", n)
	}
}

// An isolated instance can name its own connection only.
func TestIsolatedForeignConnection(t *testing.T) {
	e := engine(t, Config{Module: file(t, "scenario"), Isolation: IsolationConnection})
	d, other := connect(t, e), connect(t, e)
	d.take()
	other.take()
	must(t, d.receive("X"+id(other)))
	d.expect(t, `send "x\x02"`)
	other.expect(t)
}

// An instance without events gives back the stack that only events need, and takes it again.
func TestIdleInstancesRest(t *testing.T) {
	e := engine(t, Config{Module: file(t, "echo"), Isolation: IsolationConnection})
	d := connect(t, e)
	must(t, d.receive("x"))
	for _, kept := range []bool{true, false} {
		e.isolated.rest()
		if (d.instance().bytes != nil) != kept {
			t.Errorf("the function for bytes is kept: %v, want %v", !kept, kept)
		}
	}
	d.instance().mu.Lock()
	e.isolated.rest() // passes over what is in an event
	d.instance().mu.Unlock()
	d.take()
	must(t, d.receive("y"))
	d.expect(t, `send "y"`)
}

func TestInstancesAreBounded(t *testing.T) {
	e := engine(t, Config{Module: file(t, "echo"), Isolation: IsolationConnection, Limits: Limits{Instances: 2}})
	first := connect(t, e)
	connect(t, e)
	d := &device{name: "dev"}
	h, err := e.NewHandler(d)
	must(t, err)
	err = h.OnSocketCreated(info)
	if !gateway.ReasonOf(err).Is(gateway.ReasonHandlerUnavailable) || !strings.Contains(err.Error(), "has 2 instances (limit instances)") {
		t.Errorf("got %v", err)
	}
	if err := h.OnReceivedBytes([]byte("x")); !errors.Is(err, errNoInstance) {
		t.Errorf("an event without an instance: %v", err)
	}
	must(t, h.OnSocketClosed(gateway.ReasonHandlerUnavailable))
	must(t, first.handler.OnSocketClosed(gateway.ReasonTCPClosed))
	must(t, connect(t, e).receive("x"))
}

// A guest that does not start is refused before the first connection.
func TestIsolatedGuestThatDoesNotStart(t *testing.T) {
	module := wasmtest.Guest().With("exproto_v1_init", 0x41, 4, 0x0b).Bytes()
	_, err := New(t.Context(), Config{Name: "test", Module: module, Isolation: IsolationConnection, Logger: quiet})
	if err == nil || !strings.Contains(err.Error(), "exproto_v1_init returned 4") {
		t.Errorf("got %v", err)
	}
}

func TestUnknownIsolation(t *testing.T) {
	_, err := New(t.Context(), Config{Name: "test", Module: file(t, "echo"), Isolation: "none"})
	if err == nil || !strings.Contains(err.Error(), `isolation is "none": it may be "shared" or "connection"`) {
		t.Errorf("got %v", err)
	}
}

// A connection that is refused between NewHandler and its first event leaves nothing behind.
func TestRefusedConnectionHoldsNothing(t *testing.T) {
	e := engine(t, Config{Module: file(t, "echo"), Shards: 1})
	_, err := e.NewHandler(&device{name: "dev"})
	must(t, err)
	if n := e.shards[0].current.Load().attached.Load(); n != 0 {
		t.Errorf("%d connections are counted", n)
	}
	if got := e.Stats().Connections; got != 0 {
		t.Errorf("%d connections in the statistics", got)
	}
}

func TestDigestNamesTheVersion(t *testing.T) {
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	if got := digest(nil); got != empty {
		t.Errorf("got %s", got)
	}
	if e := engine(t, Config{Module: file(t, "echo"), Shards: 1}); e.Digest() != digest(file(t, "echo")) {
		t.Error("the engine has another digest than its module")
	}
}
