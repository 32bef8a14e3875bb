package acceptance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/wasm"
	"github.com/exgate/exgate/wasm-examples/jsonecho"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a gateway with the JSON echo handler, as a service or as a module, and another client of its broker.
type fixture struct {
	gw        *gateway.Gateway
	kind      kind
	transport transport
	addr      map[string]string // by listener: main, and idle with a short idle timeout
	up        *upstream
	other     *client
	reg       *prometheus.Registry
	log       *gatewaytest.Log
}

func openFixture(t *testing.T, up *upstream, kind kind, tr transport, cache string) *fixture {
	t.Helper()
	h := &fixture{
		kind: kind, transport: tr, addr: make(map[string]string), up: up, reg: prometheus.NewRegistry(),
		log: new(gatewaytest.Log),
	}
	log := h.log.Logger()
	h.gw = gateway.New(gateway.Config{Node: "acceptance", Logger: log, Metrics: gateway.NewMetrics(h.reg)})
	if err := h.gw.SetConnector("up", up.connector); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := h.gw.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := h.gw.SetHandler("echo", h.newHandler(t, log, cache)); err != nil {
		t.Fatal(err)
	}
	h.listen(t, "main", gateway.Limits{})
	h.listen(t, "idle", gateway.Limits{IdleTimeout: 100 * time.Millisecond})
	h.other = dialOther(t, up.url)
	return h
}

func (h *fixture) listen(t *testing.T, name string, limits gateway.Limits) {
	t.Helper()
	l := h.transport.listen(t, name, limits)
	if err := h.gw.AddListener(name, l, gateway.ListenerConfig{
		Handler: "echo", Connector: "up",
		Limits: limits,
	}); err != nil {
		t.Fatal(err)
	}
	h.addr[name] = l.Addr().String()
}

func (h *fixture) newHandler(t *testing.T, log *slog.Logger, cache string) gateway.HandlerFactory {
	t.Helper()
	if !h.kind.module {
		return h.newRemote(t, log)
	}
	e, err := wasm.New(t.Context(), wasm.Config{
		Name: "echo", Module: jsonecho.Module, Limits: wasm.Limits{MemoryPages: 1024}, CacheDir: cache, Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// serveOn runs serve on a free port until the test ends.
func serveOn(t *testing.T, serve func(net.Listener) error, stop func() error) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(stop(), <-done); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// events reads how often a listener handed an event to its handlers.
func (h *fixture) events(t *testing.T, listener, event string) float64 {
	t.Helper()
	return gatewaytest.Metric(t, h.reg, "exgate_events_total", event, listener)
}

// await waits until the number of events is want, and fails where it becomes more.
func (h *fixture) await(t *testing.T, listener, event string, want float64) {
	t.Helper()
	gatewaytest.Eventually(t, fmt.Sprintf("%v %s events", want, event),
		func() bool { return h.events(t, listener, event) >= want })
	if got := h.events(t, listener, event); got != want {
		t.Fatalf("%v %s events, want %v", got, event, want)
	}
}

// awaitGone waits until the gateway has no connection of a peer.
func (h *fixture) awaitGone(t *testing.T, peer net.Addr) {
	t.Helper()
	isPeer := func(c *gateway.Conn) bool { return c.Info().Peer.String() == peer.String() }
	gatewaytest.Eventually(t, "the connection of "+peer.String()+" to end", func() bool {
		return !slices.ContainsFunc(slices.Collect(h.gw.Conns()), isPeer)
	})
}

func (h *fixture) churnOtherListener(t *testing.T) {
	t.Helper()
	h.listen(t, "churn", gateway.Limits{})
	d := h.dial(t, "churn")
	d.ended = true
	d.send(connectFrame("d-nobody", "wrong", nil))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := errors.Join(
		h.gw.ChangeListener("churn", gateway.ListenerConfig{Handler: "echo", Connector: "up", Mountpoint: "x/"}),
		h.gw.RemoveListener(ctx, "churn"),
	)
	if err != nil {
		t.Fatal(err)
	}
}
