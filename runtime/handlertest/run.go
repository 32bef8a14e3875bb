package handlertest

import (
	"context"
	"embed"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener"
)

var update = flag.Bool("update", false, "rewrite the traces of handlertest")

// golden has the traces, for tests in any folder.
//
//go:embed testdata
var golden embed.FS

// scene is a gateway with one listener, the handler under test and the upstream.
type scene struct {
	t        *testing.T
	gateway  *gateway.Gateway
	upstream *gatewaytest.Upstream
	trace    *trace
	addr     string
}

// scenario is one conversation. It ends with its connections closed.
type scenario struct {
	name       string
	mountpoint string
	idle       time.Duration
	play       func(*scene)
}

// Run plays every scenario against handlers of newFactory, which must speak the JSON echo protocol. Each scenario has
// its own factory and gateway; the gateway closes the factory.
func Run(t *testing.T, name string, newFactory func(t *testing.T) gateway.HandlerFactory) {
	each(t, name, newFactory, (*trace).String)
}

// RunOverlapping is Run for handlers that get an event before they are done with the previous one. In a trace the
// events keep their order, and so do the calls, but a call may come after a later event.
func RunOverlapping(t *testing.T, name string, newFactory func(t *testing.T) gateway.HandlerFactory) {
	each(t, name, newFactory, (*trace).callsLast)
}

func each(t *testing.T, name string, newFactory func(t *testing.T) gateway.HandlerFactory, form func(*trace) string) {
	t.Run(name, func(t *testing.T) {
		for _, s := range scenarios {
			t.Run(s.name, func(t *testing.T) { run(t, s, newFactory, form) })
		}
	})
}

func run(t *testing.T, s scenario, newFactory func(t *testing.T) gateway.HandlerFactory, form func(*trace) string) {
	watchLog(t)
	sc := newScene(t)
	sc.open(s, newFactory(t))
	s.play(sc)
	sc.compare(s.name, form)
}

func newScene(t *testing.T) *scene {
	upstream := gatewaytest.NewUpstream()
	upstream.Hold = true
	upstream.Refuse = func(password string) bool { return password == wrongPassword }
	return &scene{
		t: t, gateway: gateway.New(gateway.Config{Node: "handlertest"}), upstream: upstream,
		trace: newTrace(),
	}
}

func (sc *scene) open(s scenario, factory gateway.HandlerFactory) {
	sc.t.Helper()
	must(sc.t, sc.gateway.SetHandler("echo", &recorder{factory: factory, trace: sc.trace}))
	must(sc.t, sc.gateway.SetConnector("upstream", sc.upstream))
	sc.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		must(sc.t, sc.gateway.Shutdown(ctx))
	})
	l, err := listener.ListenTCP(sc.t.Context(), listener.TCPConfig{Bind: "127.0.0.1:0"})
	must(sc.t, err)
	sc.addr = l.Addr().String()
	must(sc.t, sc.gateway.AddListener("tcp", l, gateway.ListenerConfig{
		Handler: "echo", Connector: "upstream", Mountpoint: s.mountpoint, Limits: gateway.Limits{IdleTimeout: s.idle},
	}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// dial opens connection n, counted from 1, and waits for its first event.
func (sc *scene) dial(n int) *device {
	sc.t.Helper()
	d := dial(sc.t, sc.addr)
	sc.trace.await(sc.t, n, "> created", 1)
	return d
}

// closed waits for the last event of connection n.
func (sc *scene) closed(n int) {
	sc.t.Helper()
	sc.trace.await(sc.t, n, "> closed", 1)
}

// flow makes the upstream deliver a message and checks what it received.
func (sc *scene) flow(want string) {
	sc.t.Helper()
	if got := sc.upstream.Flow(); got != want {
		sc.t.Errorf("the upstream saw %q, want %q", got, want)
	}
}

func (sc *scene) compare(name string, form func(*trace) string) {
	sc.t.Helper()
	file := "testdata/" + name + ".txt"
	if *update {
		must(sc.t, os.WriteFile(file, []byte(sc.trace.String()), 0o644))
		return
	}
	golden, err := golden.ReadFile(file)
	must(sc.t, err)
	if got, want := form(sc.trace), form(parseTrace(string(golden))); got != want {
		sc.t.Errorf("the trace differs from %s:\n%s\nwant:\n%s", file, got, want)
	}
}
