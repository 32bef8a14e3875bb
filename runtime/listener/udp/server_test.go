package udp_test

import (
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/listenertest"
	"github.com/exgate/exgate/runtime/listener/udp"
)

// udpServer is a gateway with a UDP listener.
type udpServer struct {
	listenertest.Server
	listener *udp.Listener
}

func serveUDP(t testing.TB, cfg udp.Config, bytes func(gateway.ConnectionAdapter, []byte)) *udpServer {
	t.Helper()
	return serveUDPWith(t, cfg, gateway.Limits{}, bytes)
}

func serveUDPWith(t testing.TB, cfg udp.Config, limits gateway.Limits,
	bytes func(gateway.ConnectionAdapter, []byte),
) *udpServer {
	t.Helper()
	s := new(udpServer)
	if cfg.Bind == "" {
		cfg.Bind = "127.0.0.1:0"
	}
	cfg.Name, cfg.Metrics = "udp", udp.NewMetrics(s.Counting())
	var err error
	if s.listener, err = udp.Listen(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	s.Start(t, s.listener, bytes, limits)
	return s
}

// dropped is how many datagrams were dropped for reason.
func (s *udpServer) dropped(t *testing.T, reason string) int {
	t.Helper()
	return int(s.Count(t, "exgate_datagrams_dropped_total", reason))
}

func (s *udpServer) open() (n int) {
	for range s.Gateway.Conns() {
		n++
	}
	return n
}
