package listener_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

// serve starts a gateway with a TCP listener on a free port and returns its address.
func serve(t *testing.T, bytes func(a gateway.ConnectionAdapter, b []byte), limits gateway.Limits) (string,
	*listenertest.Echo,
) {
	t.Helper()
	s := serveStream(t, listener.TCPConfig{}, bytes, limits)
	return s.addr, s.Echo
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(90 * time.Second))
	return c.(*net.TCPConn)
}

func TestTCPEcho(t *testing.T) {
	addr, e := serve(t, listenertest.Send, gateway.Limits{})
	c := dial(t, addr)
	info := <-e.Info
	if info.Peer.String() != c.LocalAddr().String() || info.Local.String() != addr ||
		info.SocketType != gateway.SocketTCP {
		t.Errorf("info %+v", info)
	}
	echoesOfAllSizes(t, c)
	_ = c.Close()
	if r := <-e.Closed; !r.Is(gateway.ReasonTCPClosed) {
		t.Errorf("closed with %v", r)
	}
}

func TestTCPReset(t *testing.T) {
	addr, e := serve(t, listenertest.Send, gateway.Limits{})
	c := dial(t, addr)
	<-e.Info
	_ = c.SetLinger(0)
	_ = c.Close()
	if r := <-e.Closed; !r.Is(gateway.ReasonConnReset) {
		t.Errorf("closed with %v", r)
	}
}

// The last bytes reach a device that still sends when the handler closes.
func TestTCPGoodbyeIsNotLostToAReset(t *testing.T) {
	goodbye := strings.Repeat("goodbye ", 1000)
	addr, e := serve(t, func(a gateway.ConnectionAdapter, _ []byte) {
		a.Send([]byte(goodbye))
		a.Close(gateway.ReasonNormal)
	}, gateway.Limits{})
	c := dial(t, addr)
	flood := make(chan struct{})
	go func() {
		defer close(flood)
		for {
			if _, err := c.Write([]byte("more")); err != nil {
				return
			}
		}
	}()
	got := make([]byte, len(goodbye))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != goodbye {
		t.Errorf("read %v", err)
	}
	if n, err := c.Read(got); n != 0 || err == nil {
		t.Errorf("read %d, %v after the goodbye", n, err)
	}
	_ = c.Close()
	<-flood
	if r := <-e.Closed; !r.Is(gateway.ReasonNormal) {
		t.Errorf("closed with %v", r)
	}
}

// A peer that never closes its side is not waited for longer than the linger time.
func TestTCPLingerIsBounded(t *testing.T) {
	addr, _ := serve(t, func(a gateway.ConnectionAdapter, _ []byte) { a.Close(gateway.ReasonNormal) },
		gateway.Limits{LingerTimeout: 50 * time.Millisecond})
	c := dial(t, addr)
	_, _ = c.Write([]byte("x"))
	for { // the socket is freed: writing to it fails in the end
		if _, err := c.Write([]byte("x")); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the socket was not freed")
			}
			return
		}
	}
}

// A device that sends its last bytes and shuts its side down still gets its answers.
func TestTCPHalfClose(t *testing.T) {
	addr, _ := serve(t, listenertest.Send, gateway.Limits{})
	c := dial(t, addr)
	want := bytes.Repeat([]byte("x"), 1<<20)
	go func() { _, _ = c.Write(want); _ = c.CloseWrite() }()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d of %d bytes, %v", len(got), len(want), err)
	}
}

// Closing the listener leaves its connections alone.
func TestTCPCloseKeepsConnections(t *testing.T) {
	s := serveStream(t, listener.TCPConfig{}, listenertest.Send, gateway.Limits{})
	c := dial(t, s.addr)
	<-s.Info
	if err := s.socket.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", s.addr); err == nil {
		t.Error("a closed listener accepted")
	}
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

func TestListenTCPErrorNamesTheAddress(t *testing.T) {
	addr, _ := serve(t, listenertest.Send, gateway.Limits{})
	_, err := listener.ListenTCP(t.Context(), listener.TCPConfig{Bind: addr})
	if err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("a second listener on %s: %v", addr, err)
	}
}

// Invariant 4 of package gateway: an idle connection costs one goroutine.
func TestIdleConnectionCostsOneGoroutine(t *testing.T) {
	addr, e := serve(t, listenertest.Send, gateway.Limits{})
	const conns = 50
	before := runtime.NumGoroutine()
	for range conns {
		c := dial(t, addr)
		<-e.Info
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	gatewaytest.Eventually(t, "one goroutine a connection",
		func() bool { return runtime.NumGoroutine()-before <= conns })
}
