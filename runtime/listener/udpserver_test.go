package listener_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
)

// udpServer is a gateway with a UDP listener, whose handlers are an echo's.
type udpServer struct {
	*echo
	gateway  *gateway.Gateway
	listener *listener.UDP
	reg      *prometheus.Registry
}

func serveUDP(t testing.TB, cfg listener.UDPConfig, bytes func(a gateway.ConnectionAdapter, b []byte)) *udpServer {
	t.Helper()
	return serveUDPWith(t, cfg, gateway.Limits{}, bytes)
}

func serveUDPWith(t testing.TB, cfg listener.UDPConfig, limits gateway.Limits, bytes func(a gateway.ConnectionAdapter, b []byte)) *udpServer {
	t.Helper()
	s := &udpServer{
		echo: &echo{bytes: bytes, closed: make(chan gateway.CloseReason, 100_000), info: make(chan gateway.ConnInfo, 100_000)},
		reg:  prometheus.NewRegistry(),
	}
	if cfg.Bind == "" {
		cfg.Bind = "127.0.0.1:0"
	}
	cfg.Name, cfg.Metrics = "udp", listener.NewMetrics(s.reg)
	l, err := listener.ListenUDP(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.listener = l
	s.gateway = gateway.New(gateway.Config{Logger: slog.New(slog.DiscardHandler)})
	if err := errors.Join(s.gateway.SetHandler("h", s), s.gateway.SetConnector("c", noUpstream{}),
		s.gateway.AddListener("udp", l, gateway.ListenerConfig{Handler: "h", Connector: "c", Limits: limits})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.gateway.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// dropped is how many datagrams were dropped for reason.
func (s *udpServer) dropped(t *testing.T, reason string) int {
	t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "exgate_datagrams_dropped_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "reason" && l.GetValue() == reason {
					return int(m.GetCounter().GetValue())
				}
			}
		}
	}
	t.Fatalf("no counter for %q", reason)
	return 0
}

func (s *udpServer) open() (n int) {
	for range s.gateway.Conns() {
		n++
	}
	return n
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}

// dialUDP connects a socket to addr from an address of its own; from may be empty.
func dialUDP(t testing.TB, from, addr string) *net.UDPConn {
	t.Helper()
	d := net.Dialer{}
	if from != "" {
		d.LocalAddr = &net.UDPAddr{IP: net.ParseIP(from)}
	}
	c, err := d.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.UDPConn)
}

// ask sends b and returns the answer.
func ask(t testing.TB, c net.Conn, b []byte) []byte {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	return answer(t, c)
}

func answer(t testing.TB, c net.Conn) []byte {
	t.Helper()
	buf := make([]byte, 70_000)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

// askAgain asks until there is an answer: a flood fills the socket's buffer, and the kernel may drop anybody's datagram then.
func askAgain(t *testing.T, c *net.UDPConn) {
	t.Helper()
	buf := make([]byte, 100)
	for range 200 {
		_, _ = c.Write([]byte("x"))
		_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if n, err := c.Read(buf); err == nil && string(buf[:n]) == "x" {
			return
		}
	}
	t.Error("no answer")
}
