package listener_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
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
		s.gateway.AddListener("udp", l, gateway.ListenerConfig{Handler: "h", Connector: "c"})); err != nil {
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

// One datagram is one event and one Send is one datagram, whatever its size, empty ones included.
func TestUDPKeepsBoundaries(t *testing.T) {
	s := serveUDP(t, listener.UDPConfig{}, send)
	c := dialUDP(t, "", s.listener.Addr().String())
	for _, size := range []int{1, 0, 64, 1472, 2048, 2049, 9000, 65507} {
		want := bytes.Repeat([]byte("x"), size)
		if got := ask(t, c, want); !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back as %d", size, len(got))
		}
	}
	info := <-s.info
	if info.Peer.String() != c.LocalAddr().String() || info.Local.String() != s.listener.Addr().String() || info.SocketType != gateway.SocketUDP {
		t.Errorf("info %+v", info)
	}
	if s.open() != 1 {
		t.Errorf("%d connections for one peer", s.open())
	}
}

// The datagrams of one peer reach its handler in order, whoever else sends.
func TestUDPKeepsOrder(t *testing.T) {
	s := serveUDP(t, listener.UDPConfig{QueueDatagrams: 1000}, send)
	const peers, rounds, burst = 16, 20, 16
	done := make(chan error, peers)
	for range peers {
		c := dialUDP(t, "", s.listener.Addr().String())
		go func() { done <- askInOrder(c, rounds, burst) }()
	}
	for range peers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func askInOrder(c net.Conn, rounds, burst int) error {
	buf := make([]byte, 100)
	for r := range rounds {
		for i := range burst {
			if _, err := fmt.Fprintf(c, "%d", r*burst+i); err != nil {
				return err
			}
		}
		for i := range burst {
			n, err := c.Read(buf)
			if err != nil {
				return err
			}
			if want := fmt.Sprint(r*burst + i); string(buf[:n]) != want {
				return fmt.Errorf("%s came in the place of %s", buf[:n], want)
			}
		}
	}
	return nil
}

func TestUDPDropsWhatIsTruncated(t *testing.T) {
	s := serveUDP(t, listener.UDPConfig{MaxDatagram: 100}, send)
	c := dialUDP(t, "", s.listener.Addr().String())
	if _, err := c.Write(make([]byte, 101)); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, c, make([]byte, 100)); len(got) != 100 {
		t.Errorf("got %d bytes", len(got))
	}
	if n := s.dropped(t, "truncated"); n != 1 {
		t.Errorf("%d truncated", n)
	}
}

// A datagram too long to be sent is dropped and counted, and the connection stays.
func TestUDPSendTooLong(t *testing.T) {
	s := serveUDP(t, listener.UDPConfig{}, func(a gateway.ConnectionAdapter, b []byte) {
		a.Send(make([]byte, 70_000))
		a.Send(b)
	})
	c := dialUDP(t, "", s.listener.Addr().String())
	if got := ask(t, c, []byte("x")); string(got) != "x" {
		t.Errorf("got %d bytes", len(got))
	}
	if n := s.dropped(t, "send_too_long"); n != 1 {
		t.Errorf("%d too long", n)
	}
}

// A socket bound to all addresses answers from the one that was asked: a connected socket hears nothing else.
func TestUDPAnswersFromTheAddressThatWasAsked(t *testing.T) {
	for _, bind := range []string{"0.0.0.0:0", "[::]:0", ":0"} {
		t.Run(bind, func(t *testing.T) {
			s := serveUDP(t, listener.UDPConfig{Bind: bind}, send)
			_, port, _ := net.SplitHostPort(s.listener.Addr().String())
			targets := []string{"127.0.0.2", "127.0.0.1"}
			if bind != "0.0.0.0:0" {
				targets = append(targets, "::1")
			}
			for _, target := range targets {
				c := dialUDP(t, "", net.JoinHostPort(target, port))
				if got := ask(t, c, []byte(target)); string(got) != target {
					t.Errorf("got %q", got)
				}
				if info := <-s.info; info.Local.Addr().String() != target || info.Peer.String() != c.LocalAddr().String() {
					t.Errorf("asked %s, info %+v", target, info)
				}
			}
		})
	}
}

func TestUDPOverIPv6(t *testing.T) {
	s := serveUDP(t, listener.UDPConfig{Bind: "[::1]:0"}, send)
	c := dialUDP(t, "", s.listener.Addr().String())
	if got := ask(t, c, []byte("six")); string(got) != "six" {
		t.Errorf("got %q", got)
	}
	if info := <-s.info; info.Peer.String() != c.LocalAddr().String() {
		t.Errorf("info %+v", info)
	}
}

// After its connection has closed, what a peer sends makes a new one.
func TestUDPNewConnectionAfterClose(t *testing.T) {
	s := serveUDP(t, listener.UDPConfig{}, func(a gateway.ConnectionAdapter, b []byte) {
		a.Send([]byte(a.ID()))
		a.Close(gateway.ReasonNormal)
	})
	c := dialUDP(t, "", s.listener.Addr().String())
	first := ask(t, c, []byte("x"))
	if r := <-s.closed; !r.Is(gateway.ReasonNormal) {
		t.Errorf("closed with %v", r)
	}
	if second := ask(t, c, []byte("x")); bytes.Equal(first, second) {
		t.Error("the closed connection answered")
	}
}

// Closing the listener leaves its connections alone: they may still say goodbye.
func TestUDPCloseKeepsConnections(t *testing.T) {
	s := serveUDP(t, listener.UDPConfig{}, send)
	c := dialUDP(t, "", s.listener.Addr().String())
	ask(t, c, []byte("x"))
	if err := errors.Join(s.listener.Close(), s.listener.Close()); err != nil {
		t.Fatal(err)
	}
	for conn := range s.gateway.Conns() {
		conn.Send([]byte("goodbye"))
	}
	if got := answer(t, c); string(got) != "goodbye" {
		t.Errorf("got %q", got)
	}
}

func TestListenUDPErrorNamesTheAddress(t *testing.T) {
	s := serveUDP(t, listener.UDPConfig{}, send)
	addr := s.listener.Addr().String()
	_, err := listener.ListenUDP(t.Context(), listener.UDPConfig{Bind: addr})
	if err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("a second listener on %s: %v", addr, err)
	}
}

// A listener that was removed leaves its address to the next.
func TestUDPRemovedListenerFreesItsAddress(t *testing.T) {
	s := serveUDP(t, listener.UDPConfig{}, send)
	addr := s.listener.Addr().String()
	ask(t, dialUDP(t, "", addr), []byte("x"))
	if err := s.gateway.RemoveListener(t.Context(), "udp"); err != nil {
		t.Fatal(err)
	}
	if r := <-s.closed; !r.Is(gateway.ReasonListenerRemoved) {
		t.Errorf("closed with %v", r)
	}
	next, err := listener.ListenUDP(t.Context(), listener.UDPConfig{Bind: addr})
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
}

// Invariant 4 of package gateway: a peer that sends nothing has no goroutine.
func TestUDPIdlePeerHasNoGoroutine(t *testing.T) {
	s := serveUDP(t, listener.UDPConfig{}, send)
	ask(t, dialUDP(t, "", s.listener.Addr().String()), []byte("x")) // it serves
	before := runtime.NumGoroutine()
	for range 99 {
		ask(t, dialUDP(t, "", s.listener.Addr().String()), []byte("x"))
	}
	until(t, "no more goroutines than before", func() bool { return runtime.NumGoroutine() <= before })
	if s.open() != 100 {
		t.Errorf("%d connections", s.open())
	}
}

func TestUDPTalksToSocat(t *testing.T) {
	socat, err := exec.LookPath("socat")
	if err != nil {
		needTool(t, "socat")
	}
	s := serveUDP(t, listener.UDPConfig{}, send)
	cmd := exec.CommandContext(t.Context(), socat, "-t", "1", "-", "UDP:"+s.listener.Addr().String())
	cmd.Stdin = strings.NewReader("hello from socat\n")
	if out, err := cmd.Output(); err != nil || string(out) != "hello from socat\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// needTool fails where a tool that CI has is missing, and skips elsewhere.
func needTool(t *testing.T, name string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
}
