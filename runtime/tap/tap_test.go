package tap_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/handlertest"
	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/taptest"
	"github.com/exgate/exgate/runtime/wasm"
	"github.com/exgate/exgate/runtime/wasm/enginetest"
	"github.com/exgate/exgate/wasm-examples/jsonecho"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// notes is a sink that collects lines.
type notes struct {
	mu    sync.Mutex
	lines []string
}

func (n *notes) Record(r *tap.Record) {
	n.mu.Lock()
	defer n.mu.Unlock()
	line := r.Kind.String()
	switch {
	case r.Kind == tap.Result:
		line += fmt.Sprintf(" of %d: %v", r.Call, r.Result)
	case r.Kind == tap.Handled && r.Err != nil:
		line += ": " + r.Err.Error()
	case r.Kind.Call():
		line += fmt.Sprintf(" %d %q %s", r.Call, r.Data, r.Topic)
	default:
		line += string(r.Data) + r.Reason.Name
	}
	n.lines = append(n.lines, strings.TrimSpace(line))
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.lines, "\n")
}

// tapper taps with the sinks that open returns.
type tapper struct{ open func(id string) tap.Sink }

func (t tapper) NewHandler(f gateway.HandlerFactory, conn gateway.ConnectionAdapter) (gateway.ConnectionHandler,
	error,
) {
	return tap.NewHandler(f, conn, t.open(conn.ID()))
}

func (tapper) Close(context.Context) error { return nil }

// shared outlives the scenarios: compiling the module for each takes long.
type shared struct{ *wasm.Engine }

func (shared) Close(context.Context) error { return nil }

// A tapped handler behaves like an untapped one.
func TestTappedHandlerPassesTheSuite(t *testing.T) {
	e, err := wasm.New(t.Context(), wasm.Config{
		Name: "jsonecho", Module: jsonecho.Module, Limits: wasm.Limits{MemoryPages: 1024, Fuel: 10_000_000},
		CacheDir: t.TempDir(),
	})
	taptest.Must(t, err)
	t.Cleanup(func() { taptest.Must(t, e.Close(context.Background())) })
	handlertest.Run(t, "tapped", func(*testing.T) gateway.HandlerFactory {
		return tap.Around(shared{e}, tapper{func(string) tap.Sink { return new(notes) }})
	})
}

func TestRecordsOfAConnection(t *testing.T) {
	n := new(notes)
	f := tap.Around(enginetest.Line(t), tapper{func(id string) tap.Sink {
		if gateway.NodeOf(id) != "n" {
			t.Errorf("id %q", id)
		}
		return n
	}})
	if v := f.(tap.Versioned); len(v.Digest()) != 64 {
		t.Errorf("digest %q", v.Digest())
	}
	d := taptest.Serve(t, f).Dial()
	d.Hear("")
	d.Ask("ping", "pong")
	d.Ask("pub a b", "error: login first")
	d.Leave()
	want := `created
send 1 "exgate line protocol. Type login <clientid>, then sub <filter> or pub <topic> <text>; help tells more.\n"
handled
bytesping
send 2 "pong\n"
handled
bytespub a b
send 3 "error: login first\n"
handled
bytesquit
send 4 "bye\n"
close 5 ""
handled
closednormal
handled`
	gatewaytest.Eventually(t, "everything was recorded",
		func() bool { return strings.HasSuffix(n.String(), "closednormal\nhandled") })
	if got := strings.ReplaceAll(n.String(), "\n\n", "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// failing is a handler that fails, and calls on after the end.
type failing struct {
	gateway.ConnectionHandler
	adapter gateway.ConnectionAdapter
	held    func()
}

func (f *failing) NewHandler(adapter gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	f.adapter = adapter
	return f, nil
}

func (f *failing) Close(context.Context) error { return nil }

func (f *failing) OnSocketCreated(gateway.ConnInfo) error { return nil }

func (f *failing) OnReceivedBytes([]byte) error {
	if f.held = f.adapter.Hold(func() {}); f.held != nil {
		f.held()
	}
	f.adapter.Publish("a", 0, nil, nil)
	return errors.New("no")
}

func (f *failing) OnSocketClosed(gateway.CloseReason) error { return nil }

func TestRefusalsAndFailures(t *testing.T) {
	n := new(notes)
	f := new(failing)
	g := taptest.Serve(t, tap.Around(f, tapper{func(string) tap.Sink { return n }}))
	d := g.Dial()
	d.Say("x")
	gatewaytest.Eventually(t, "the connection ended",
		func() bool { return strings.HasSuffix(n.String(), "closedhandler_failed\nhandled") })
	if f.held == nil {
		t.Error("an event cannot be held")
	}
	if f.adapter.Hold(func() {}) != nil {
		t.Error("a closed connection can be held")
	}
	f.adapter.Send([]byte("late"))
	want := "created\nhandled\nbytesx\npublish 1 \"\" a\n" +
		"result of 1: PERMISSION_DENY: publish before authenticate succeeded\n" +
		"handled: no\nclosedhandler_failed\nhandled"
	if got := n.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestUntappedConnectionsAreAsTheyWere(t *testing.T) {
	f := new(failing)
	h, err := tap.NewHandler(f, adapter{}, nil)
	if err != nil || h != gateway.ConnectionHandler(f) || f.adapter != gateway.ConnectionAdapter(adapter{}) {
		t.Errorf("got %T %T %v", h, f.adapter, err)
	}
}

type adapter struct{ gateway.ConnectionAdapter }

func (adapter) ID() string { return "x" }

func TestKindNames(t *testing.T) {
	for k := tap.Created; k <= tap.Result; k++ {
		if tap.KindOf(k.String()) != k {
			t.Errorf("%v", k)
		}
	}
	if tap.KindOf("") != 0 || tap.KindOf("later") != 0 || tap.Kind(99).String() != "Kind(99)" {
		t.Error("unknown kinds")
	}
}
