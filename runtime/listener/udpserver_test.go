package listener_test

import (
	"net"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
)

// udpServer is a gateway with a UDP listener.
type udpServer struct {
	server
	listener *listener.UDP
}

func serveUDP(t testing.TB, cfg listener.UDPConfig, bytes func(gateway.ConnectionAdapter, []byte)) *udpServer {
	t.Helper()
	return serveUDPWith(t, cfg, gateway.Limits{}, bytes)
}

func serveUDPWith(t testing.TB, cfg listener.UDPConfig, limits gateway.Limits, bytes func(gateway.ConnectionAdapter, []byte)) *udpServer {
	t.Helper()
	s := new(udpServer)
	if cfg.Bind == "" {
		cfg.Bind = "127.0.0.1:0"
	}
	cfg.Name, cfg.Metrics = "udp", listener.NewUDPMetrics(s.counting())
	var err error
	if s.listener, err = listener.ListenUDP(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	s.start(t, s.listener, bytes, limits)
	return s
}

// dropped is how many datagrams were dropped for reason.
func (s *udpServer) dropped(t *testing.T, reason string) int {
	t.Helper()
	return int(s.count(t, "exgate_datagrams_dropped_total", reason))
}

func (s *udpServer) open() (n int) {
	for range s.gateway.Conns() {
		n++
	}
	return n
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
