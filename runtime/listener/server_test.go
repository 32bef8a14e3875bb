package listener_test

import (
	"context"
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a gateway with one listener, whose handlers are an echo's.
type server struct {
	*echo
	gateway *gateway.Gateway
	counts  *prometheus.Registry
}

// count makes the registry of the listener's counters.
func (s *server) counting() prometheus.Registerer {
	s.counts = prometheus.NewRegistry()
	return s.counts
}

func (s *server) start(t testing.TB, l gateway.Listener, bytes func(gateway.ConnectionAdapter, []byte), limits gateway.Limits) {
	t.Helper()
	s.echo = newEcho(bytes)
	s.gateway = gatewaytest.Serve(t, l, s.echo, noUpstream{}, limits)
}

// count is the sum of the counters of a name of which labels have these values.
func (s *server) count(t testing.TB, name string, values ...string) float64 {
	t.Helper()
	return gatewaytest.Metric(t, s.counts, name, values...)
}

// echo is a factory whose handlers run a function on each read.
type echo struct {
	bytes  func(a gateway.ConnectionAdapter, b []byte)
	closed chan gateway.CloseReason
	info   chan gateway.ConnInfo
}

func newEcho(bytes func(gateway.ConnectionAdapter, []byte)) *echo {
	return &echo{bytes: bytes, closed: make(chan gateway.CloseReason, 100_000), info: make(chan gateway.ConnInfo, 100_000)}
}

func (e *echo) NewHandler(a gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	return &echoHandler{e, a}, nil
}
func (e *echo) Close(context.Context) error { return nil }

type echoHandler struct {
	*echo
	a gateway.ConnectionAdapter
}

func (h *echoHandler) OnSocketCreated(i gateway.ConnInfo) error { h.info <- i; return nil }

func (h *echoHandler) OnReceivedBytes(b []byte) error             { h.bytes(h.a, b); return nil }
func (h *echoHandler) OnTimerTimeout(gateway.TimerType) error     { return nil }
func (h *echoHandler) OnReceivedMessages([]gateway.Message) error { return nil }
func (h *echoHandler) OnSocketClosed(r gateway.CloseReason) error { h.closed <- r; return nil }
func send(a gateway.ConnectionAdapter, b []byte)                  { a.Send(b) }

type noUpstream struct{}

func (noUpstream) Connect(context.Context, gateway.Device, string, gateway.Downlink) (gateway.Session, error) {
	return nil, errors.New("no upstream")
}
func (noUpstream) Close(context.Context) error { return nil }
