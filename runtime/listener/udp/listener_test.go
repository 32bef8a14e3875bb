package udp_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener/listenertest"
	"github.com/exgate/exgate/runtime/listener/udp"
)

// One datagram is one event and one Send is one datagram, whatever its size, empty ones included.
func TestUDPKeepsBoundaries(t *testing.T) {
	s := serveUDP(t, udp.Config{}, listenertest.Send)
	c := listenertest.DialUDP(t, "", s.listener.Addr().String())
	for _, size := range []int{1, 0, 64, 1472, 2048, 2049, 9000, 65507} {
		want := bytes.Repeat([]byte("x"), size)
		if got := listenertest.Ask(t, c, want); !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back as %d", size, len(got))
		}
	}
	info := <-s.Info
	if info.Peer.String() != c.LocalAddr().String() || info.Local.String() != s.listener.Addr().String() ||
		info.SocketType != gateway.SocketUDP {
		t.Errorf("info %+v", info)
	}
	if s.open() != 1 {
		t.Errorf("%d connections for one peer", s.open())
	}
}

// The datagrams of one peer reach its handler in order, whoever else sends.
func TestUDPKeepsOrder(t *testing.T) {
	s := serveUDP(t, udp.Config{QueueDatagrams: 1000}, listenertest.Send)
	const peers, rounds, burst = 16, 20, 16
	done := make(chan error, peers)
	for range peers {
		c := listenertest.DialUDP(t, "", s.listener.Addr().String())
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
	s := serveUDP(t, udp.Config{MaxDatagram: 100}, listenertest.Send)
	c := listenertest.DialUDP(t, "", s.listener.Addr().String())
	if _, err := c.Write(make([]byte, 101)); err != nil {
		t.Fatal(err)
	}
	if got := listenertest.Ask(t, c, make([]byte, 100)); len(got) != 100 {
		t.Errorf("got %d bytes", len(got))
	}
	if n := s.dropped(t, "truncated"); n != 1 {
		t.Errorf("%d truncated", n)
	}
}

// A datagram too long to be sent is dropped and counted, and the connection stays.
func TestUDPSendTooLong(t *testing.T) {
	s := serveUDP(t, udp.Config{}, func(a gateway.ConnectionAdapter, b []byte) {
		if r := a.Send(make([]byte, 70_000)); r.Code != gateway.CodeParamsTypeError {
			t.Errorf("a Send of 70,000 bytes: %v", r)
		}
		a.Send(b)
	})
	c := listenertest.DialUDP(t, "", s.listener.Addr().String())
	if got := listenertest.Ask(t, c, []byte("x")); string(got) != "x" {
		t.Errorf("got %d bytes", len(got))
	}
	if n := s.dropped(t, "send_too_long"); n != 1 {
		t.Errorf("%d too long", n)
	}
}

// The largest datagram of each family is sent, one byte more is refused.
func TestUDPSendLimits(t *testing.T) {
	for bind, most := range map[string]int{"127.0.0.1:0": 65_507, "[::1]:0": 65_527} {
		results := make(chan gateway.Result, 2)
		s := serveUDP(t, udp.Config{Bind: bind}, func(a gateway.ConnectionAdapter, _ []byte) {
			results <- a.Send(make([]byte, most+1))
			results <- a.Send(make([]byte, most))
		})
		c := listenertest.DialUDP(t, "", s.listener.Addr().String())
		if got := listenertest.Ask(t, c, []byte("x")); len(got) != most {
			t.Errorf("%s: got %d bytes", bind, len(got))
		}
		if over, fits := <-results, <-results; over.Code != gateway.CodeParamsTypeError || !fits.Ok() {
			t.Errorf("%s: %v, %v", bind, over, fits)
		}
	}
}

func TestUDPOverIPv6(t *testing.T) {
	s := serveUDP(t, udp.Config{Bind: "[::1]:0"}, listenertest.Send)
	c := listenertest.DialUDP(t, "", s.listener.Addr().String())
	if got := listenertest.Ask(t, c, []byte("six")); string(got) != "six" {
		t.Errorf("got %q", got)
	}
	if info := <-s.Info; info.Peer.String() != c.LocalAddr().String() {
		t.Errorf("info %+v", info)
	}
}

// After its connection has closed, what a peer sends makes a new one.
func TestUDPNewConnectionAfterClose(t *testing.T) {
	s := serveUDP(t, udp.Config{}, func(a gateway.ConnectionAdapter, b []byte) {
		a.Send([]byte(a.ID()))
		a.Close(gateway.ReasonNormal)
	})
	c := listenertest.DialUDP(t, "", s.listener.Addr().String())
	first := listenertest.Ask(t, c, []byte("x"))
	if r := <-s.Closed; !r.Is(gateway.ReasonNormal) {
		t.Errorf("closed with %v", r)
	}
	if second := listenertest.Ask(t, c, []byte("x")); bytes.Equal(first, second) {
		t.Error("the closed connection answered")
	}
}

// Closing the listener leaves its connections alone: they may still say goodbye.
func TestUDPCloseKeepsConnections(t *testing.T) {
	s := serveUDP(t, udp.Config{}, listenertest.Send)
	c := listenertest.DialUDP(t, "", s.listener.Addr().String())
	listenertest.Ask(t, c, []byte("x"))
	if err := errors.Join(s.listener.Close(), s.listener.Close()); err != nil {
		t.Fatal(err)
	}
	for conn := range s.Gateway.Conns() {
		conn.Send([]byte("goodbye"))
	}
	if got := listenertest.Answer(t, c); string(got) != "goodbye" {
		t.Errorf("got %q", got)
	}
}

// A listener that was removed leaves its address to the next.
func TestUDPRemovedListenerFreesItsAddress(t *testing.T) {
	s := serveUDP(t, udp.Config{}, listenertest.Send)
	addr := s.listener.Addr().String()
	listenertest.Ask(t, listenertest.DialUDP(t, "", addr), []byte("x"))
	if err := s.Gateway.RemoveListener(t.Context(), "l"); err != nil {
		t.Fatal(err)
	}
	if r := <-s.Closed; !r.Is(gateway.ReasonListenerRemoved) {
		t.Errorf("closed with %v", r)
	}
	next, err := udp.Listen(t.Context(), udp.Config{Bind: addr})
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
}

// Invariant 4 of package gateway: a peer that sends nothing has no goroutine.
func TestUDPIdlePeerHasNoGoroutine(t *testing.T) {
	s := serveUDP(t, udp.Config{}, listenertest.Send)
	listenertest.Ask(t, listenertest.DialUDP(t, "", s.listener.Addr().String()), []byte("x")) // it serves
	before := runtime.NumGoroutine()
	for range 99 {
		listenertest.Ask(t, listenertest.DialUDP(t, "", s.listener.Addr().String()), []byte("x"))
	}
	gatewaytest.Eventually(t, "no more goroutines than before", func() bool { return runtime.NumGoroutine() <= before })
	if s.open() != 100 {
		t.Errorf("%d connections", s.open())
	}
}

func TestUDPTalksToSocat(t *testing.T) {
	socat := listenertest.Tool(t, "socat", "socat")
	s := serveUDP(t, udp.Config{}, listenertest.Send)
	cmd := exec.CommandContext(t.Context(), socat, "-t", "1", "-", "UDP:"+s.listener.Addr().String())
	cmd.Stdin = strings.NewReader("hello from socat\n")
	if out, err := cmd.Output(); err != nil || string(out) != "hello from socat\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// A peer that keeps sending while its handler is busy loses its own datagrams, and does not delay others.
func TestUDPBusyPeerDelaysNobody(t *testing.T) {
	busy, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s := serveUDP(t, udp.Config{QueueDatagrams: 10}, func(a gateway.ConnectionAdapter, b []byte) {
		if string(b) == "flood" {
			once.Do(func() { close(busy) })
			<-release
			return
		}
		a.Send(b)
	})
	defer close(release)
	flood := listenertest.DialUDP(t, "", s.listener.Addr().String())
	for range 500 {
		if _, err := flood.Write([]byte("flood")); err != nil {
			t.Fatal(err)
		}
	}
	<-busy
	for range 20 {
		if got := listenertest.Ask(t, listenertest.DialUDP(t, "", s.listener.Addr().String()),
			[]byte("x")); string(got) != "x" {
			t.Errorf("got %q", got)
		}
	}
	gatewaytest.Eventually(t, "the flood to be dropped", func() bool { return s.dropped(t, "queue_full") >= 500-10-1 })
}
