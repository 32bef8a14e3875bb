package listener_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

// refusing is an upstream that rejects every login.
type refusing struct{ listenertest.NoUpstream }

func (refusing) Connect(context.Context, gateway.Device, string, gateway.Downlink) (gateway.Session, error) {
	return nil, &gateway.ResultError{Result: gateway.Refuse(gateway.CodePermissionDeny, "wrong password")}
}

// gated is a TCP listener with an Admission, and handlers that log in with the bytes that they read.
type gated struct {
	*testing.T
	*listenertest.Echo
	addr      string
	admission *admission.Admission
	registry  *prometheus.Registry
	results   chan gateway.Result
}

func gate(t *testing.T, cfg admission.Config) *gated {
	t.Helper()
	g := &gated{T: t, registry: prometheus.NewRegistry(), results: make(chan gateway.Result, 10)}
	log := slog.New(slog.DiscardHandler)
	cfg.Listener, cfg.Logger, cfg.Metrics = "l", log, admission.NewMetrics(g.registry)
	var err error
	if g.admission, err = admission.New(cfg); err != nil {
		t.Fatal(err)
	}
	l, err := listener.ListenTCP(t.Context(), listener.TCPConfig{
		Name: "l", Bind: "127.0.0.1:0", Admission: g.admission,
		Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	g.addr = l.Addr().String()
	g.Echo = listenertest.NewEcho(func(a gateway.ConnectionAdapter, b []byte) {
		a.Authenticate(gateway.ClientInfo{ClientID: string(b)}, "secret", func(r gateway.Result) { g.results <- r })
	})
	gatewaytest.Serve(t, l, g, refusing{}, gateway.Limits{})
	return g
}

// open connects, and requires that a handler sees it.
func (g *gated) open() net.Conn {
	g.Helper()
	c := dial(g.T, g.addr)
	<-g.Info
	return c
}

// refused connects, and requires that the socket is closed for reason before anything else.
func (g *gated) refused(reason string, want float64) {
	g.Helper()
	c, err := net.Dial("tcp", g.addr)
	if err == nil {
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(90 * time.Second))
		if _, err = c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			g.Errorf("not refused: %v", err)
		}
	}
	if n := g.count(reason); n != want {
		g.Errorf("%v counted as %s, want %v", n, reason, want)
	}
	if len(g.Info) > 0 {
		g.Error("a handler saw the refused connection")
	}
}

func (g *gated) count(reason string) float64 {
	g.Helper()
	return gatewaytest.Metric(g, g.registry, "exgate_connections_rejected_total", "l", reason)
}

// A place is free again when its connection has ended, whoever ended it.
func TestTCPPlacesComeBack(t *testing.T) {
	total := admission.NewTotalLimit(2)
	g := gate(t, admission.Config{MaxPerSource: 2, Total: total})
	first := g.open()
	g.open()
	g.refused("max_per_source", 1)
	_ = first.Close()
	<-g.Closed
	for ; ; runtime.Gosched() { // the place is given back after the handler has heard of the end
		ticket, ok := g.admission.Admit(first.LocalAddr().(*net.TCPAddr).AddrPort().Addr())
		if ok {
			ticket.Release()
			break
		}
	}
	g.open()
}

// Clients that keep failing to log in are shut out; access lists reach the accept loop of a live listener.
func TestTCPBansAndAccess(t *testing.T) {
	g := gate(t, admission.Config{Ban: admission.BanConfig{Failures: 2}})
	for range 2 {
		c := g.open()
		if _, err := io.WriteString(c, "meter"); err != nil {
			t.Fatal(err)
		}
		if r := <-g.results; r.Code != gateway.CodePermissionDeny {
			t.Fatal(r)
		}
	}
	g.refused("banned", 1)
	if n, err := testutil.GatherAndCount(g.registry, "exgate_banned_sources"); n != 1 || err != nil {
		t.Error(n, err)
	}
	list, err := admission.ParseAccess([]string{"deny 127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	g.admission.SetAccess(list)
	g.refused("access_denied", 1)
}
