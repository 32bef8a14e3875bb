package listenertest

import (
	"context"
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// Server is a gateway with one listener, whose handlers are an echo's.
type Server struct {
	*Echo
	Gateway *gateway.Gateway
	Counts  *prometheus.Registry
}

// Counting makes the registry of the listener's counters.
func (s *Server) Counting() prometheus.Registerer {
	s.Counts = prometheus.NewRegistry()
	return s.Counts
}

// Start serves l.
func (s *Server) Start(t testing.TB, l gateway.Listener, bytes func(gateway.ConnectionAdapter, []byte),
	limits gateway.Limits,
) {
	t.Helper()
	s.Echo = NewEcho(bytes)
	s.Gateway = gatewaytest.Serve(t, l, s.Echo, NoUpstream{}, limits)
}

// Count is the sum of the counters of a name of which labels have these values.
func (s *Server) Count(t testing.TB, name string, values ...string) float64 {
	t.Helper()
	return gatewaytest.Metric(t, s.Counts, name, values...)
}

// Echo is a factory whose handlers run a function on each read.
type Echo struct {
	bytes  func(a gateway.ConnectionAdapter, b []byte)
	Closed chan gateway.CloseReason
	Info   chan gateway.ConnInfo
}

// NewEcho makes one that runs bytes on each read.
func NewEcho(bytes func(gateway.ConnectionAdapter, []byte)) *Echo {
	return &Echo{
		bytes: bytes, Closed: make(chan gateway.CloseReason, 100_000),
		Info: make(chan gateway.ConnInfo, 100_000),
	}
}

// NewHandler makes the handler of a connection.
func (e *Echo) NewHandler(a gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	return &echoHandler{e, a}, nil
}

// Close does nothing.
func (e *Echo) Close(context.Context) error { return nil }

type echoHandler struct {
	*Echo
	a gateway.ConnectionAdapter
}

func (h *echoHandler) OnSocketCreated(i gateway.ConnInfo) error { h.Info <- i; return nil }

func (h *echoHandler) OnReceivedBytes(b []byte) error             { h.bytes(h.a, b); return nil }
func (h *echoHandler) OnTimerTimeout(gateway.TimerType) error     { return nil }
func (h *echoHandler) OnReceivedMessages([]gateway.Message) error { return nil }
func (h *echoHandler) OnSocketClosed(r gateway.CloseReason) error { h.Closed <- r; return nil }

// Send echoes b.
func Send(a gateway.ConnectionAdapter, b []byte) { a.Send(b) }

// NoUpstream refuses every device.
type NoUpstream struct{}

// Connect fails.
func (NoUpstream) Connect(context.Context, gateway.Device, string, gateway.Downlink) (gateway.Session, error) {
	return nil, errors.New("no upstream")
}

// Close does nothing.
func (NoUpstream) Close(context.Context) error { return nil }
