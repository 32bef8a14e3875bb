package wasm

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// A fault ends the one connection whose event it was.
func TestIsolatedFaultEndsOneConnection(t *testing.T) {
	e := engine(t, Config{Module: file(t, "hostile"), Isolation: IsolationConnection})
	bad, neighbour := gatewaytest.Connect(t, e), gatewaytest.Connect(t, e)
	if err := bad.Receive("t"); !gateway.ReasonOf(err).Is(gateway.ReasonGuestTrap) {
		t.Fatalf("got %v", err)
	}
	if err := bad.Receive("x"); err == nil {
		t.Error("an event after the fault was taken")
	}
	must(t, bad.Handler.OnSocketClosed(gateway.ReasonGuestTrap))
	neighbour.Take()
	must(t, neighbour.Receive("x"))
	expect(t, neighbour, `send "x"`)
	must(t, neighbour.Handler.OnSocketClosed(gateway.ReasonTCPClosed))
	if got, want := e.Stats(), (Stats{Connections: 2, Faults: 1}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	if n := len(e.isolated.live); n != 0 || e.isolated.reserved != 0 {
		t.Errorf("%d instances live, %d held", n, e.isolated.reserved)
	}
}

// The log lines of isolated guests, and those about their ends, are bounded for all of them together.
func TestIsolatedLogIsBounded(t *testing.T) {
	var log syncBuffer
	e := engine(t, Config{
		Module: file(
			t,
			"scenario",
		), Isolation: IsolationConnection, Limits: Limits{LogLines: 2},
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	for range 10 {
		must(t, gatewaytest.Connect(t, e).Receive("Lx"))
	}
	if n := strings.Count(log.String(), "msg=guest "); n < 10 || n > 20 {
		t.Errorf("%d lines of guests", n)
	}
	bad := engine(t, Config{
		Module: file(
			t,
			"hostile",
		), Isolation: IsolationConnection, Limits: Limits{LogLines: 2},
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	for range 30 {
		if gatewaytest.Connect(t, bad).Receive("t") == nil {
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
	d, other := gatewaytest.Connect(t, e), gatewaytest.Connect(t, e)
	d.Take()
	other.Take()
	must(t, d.Receive("X"+id(other)))
	expect(t, d, `send "x\x02"`)
	expect(t, other)
}

// The stack of an idle instance is freed, and allocated again for the next event.
func TestIdleInstancesRest(t *testing.T) {
	e := engine(t, Config{Module: file(t, "echo"), Isolation: IsolationConnection})
	d := gatewaytest.Connect(t, e)
	must(t, d.Receive("x"))
	for _, kept := range []bool{true, false} {
		e.isolated.freeIdleStacks()
		if (instanceOf(d).bytes != nil) != kept {
			t.Errorf("the function for bytes is kept: %v, want %v", !kept, kept)
		}
	}
	instanceOf(d).mu.Lock()
	e.isolated.freeIdleStacks() // passes over what is in an event
	instanceOf(d).mu.Unlock()
	d.Take()
	must(t, d.Receive("y"))
	expect(t, d, `send "y"`)
}

func TestInstancesAreBounded(t *testing.T) {
	e := engine(t, Config{Module: file(t, "echo"), Isolation: IsolationConnection, Limits: Limits{Instances: 2}})
	first := gatewaytest.Connect(t, e)
	gatewaytest.Connect(t, e)
	d := gatewaytest.NewDevice()
	h, err := e.NewHandler(d)
	must(t, err)
	err = h.OnSocketCreated(gatewaytest.Info)
	if !gateway.ReasonOf(err).Is(gateway.ReasonHandlerUnavailable) ||
		!strings.Contains(err.Error(), "has 2 instances (limit instances)") {
		t.Errorf("got %v", err)
	}
	if err := h.OnReceivedBytes([]byte("x")); !errors.Is(err, errNoInstance) {
		t.Errorf("an event without an instance: %v", err)
	}
	must(t, h.OnSocketClosed(gateway.ReasonHandlerUnavailable))
	must(t, first.Handler.OnSocketClosed(gateway.ReasonTCPClosed))
	must(t, gatewaytest.Connect(t, e).Receive("x"))
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
	if err == nil || !strings.Contains(err.Error(), `isolation is "none": it must be "shared" or "connection"`) {
		t.Errorf("got %v", err)
	}
}

// A connection that is refused between NewHandler and its first event leaves nothing behind.
func TestRefusedConnectionHoldsNothing(t *testing.T) {
	e := engine(t, Config{Module: file(t, "echo"), Shards: 1})
	_, err := e.NewHandler(gatewaytest.NewDevice())
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
