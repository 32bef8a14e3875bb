package listener_test

import (
	"crypto/tls"
	"log/slog"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

// halfOpen begins n handshakes and leaves them: every other says nothing at all, the rest half a ClientHello.
func halfOpen(t *testing.T, addr string, n int) (conns []net.Conn) {
	t.Helper()
	for i := range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 1 {
			_, _ = c.Write([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and here it ends"))
		}
		conns = append(conns, c)
	}
	t.Cleanup(func() { closeAll(conns) })
	return conns
}

func closeAll(conns []net.Conn) {
	for i, c := range conns {
		if c != nil {
			_ = c.Close()
		}
		conns[i] = nil
	}
}

// A thousand half-open handshakes keep neither the established devices nor new ones from being served, and leave no
// memory behind: what the first flood leaves is what Go keeps of its goroutines, and the second adds no more than that.
func TestTLSHalfOpenHandshakes(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	cfg := tlsOf(t, ca, "server")
	cfg.MaxHandshakes = 2000
	s := serveTLS(t, cfg, listenertest.Send, gateway.Limits{})
	established := dialTLS(t, s.addr, ca.Client())
	echoes(t, established, "before")
	before, goroutines := gatewaytest.MemoryInUse(), runtime.NumGoroutine()
	flood := func() {
		conns := halfOpen(t, s.addr, 1000)
		gatewaytest.Eventually(t, "the handshakes", func() bool { return runtime.NumGoroutine() >= goroutines+1000 })
		t.Logf("%d bytes a half-open handshake, both ends", (gatewaytest.MemoryInUse()-before)/1000)
		for range 10 {
			echoes(t, established, "during")
			c := dialTLS(t, s.addr, ca.Client())
			echoes(t, c, "a new device")
			_ = c.Close()
		}
		closeAll(conns)
		gatewaytest.Eventually(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	}
	flood()
	gatewaytest.Eventually(t, "the memory", func() bool {
		return gatewaytest.MemoryInUse() < before+
			listenertest.KeptByGo
	})
	left := gatewaytest.MemoryInUse()
	flood()
	gatewaytest.Eventually(t, "the memory again", func() bool {
		return gatewaytest.MemoryInUse() < left+
			listenertest.KeptByGo
	})
	echoes(t, established, "after")
}

// Where more handshakes are left half-open than may be in progress, new devices are served at once: the oldest make
// room, and nobody is refused.
func TestTLSHalfOpenHandshakesMakeRoom(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	cfg := tlsOf(t, ca, "server")
	cfg.MaxHandshakes = 50
	s := serveTLS(t, cfg, listenertest.Send, gateway.Limits{})
	established := dialTLS(t, s.addr, ca.Client())
	for range 10 {
		halfOpen(t, s.addr, 200)
		echoes(t, dialTLS(t, s.addr, ca.Client()), "hello")
		echoes(t, established, "during")
	}
	gatewaytest.Eventually(t, "evictions", func() bool {
		return s.Count(t, "exgate_tls_handshakes_total",
			"evicted") >= 2000-200
	})
	if n := s.Count(t, "exgate_tls_handshakes_total", "busy"); n != 0 {
		t.Errorf("%v were refused", n)
	}
}

// Handshakes that stall after a whole ClientHello are evicted too, and silent connections do not use their slots.
func TestTLSHandshakesThatStopMakeRoom(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	cfg := tlsOf(t, ca, "server")
	cfg.MaxHandshakes = 8
	s := serveTLS(t, cfg, listenertest.Send, gateway.Limits{})
	hello := clientHello(t)
	for range 10 {
		conns := make([]net.Conn, 20)
		for i := range conns {
			conns[i] = dial(t, s.addr)
			if _, err := conns[i].Write(hello); err != nil {
				t.Fatal(err)
			}
			_ = conns[i].SetReadDeadline(time.Now().Add(90 * time.Second))
			if n, err := conns[i].Read(make([]byte, 1)); n == 0 {
				t.Fatalf("no ServerHello: %v", err)
			}
		}
		halfOpen(t, s.addr, 100)
		echoes(t, dialTLS(t, s.addr, ca.Client()), "hello")
	}
	gatewaytest.Eventually(t, "evictions", func() bool {
		return s.Count(t, "exgate_tls_handshakes_total",
			"evicted") >= 200-8
	})
}

// clientHello is the first message of a client of crypto/tls.
func clientHello(t testing.TB) []byte {
	t.Helper()
	near, far := net.Pipe()
	defer func() { _, _ = near.Close(), far.Close() }()
	go func() { _ = tls.Client(near, &tls.Config{InsecureSkipVerify: true}).Handshake() }()
	b := make([]byte, 16<<10)
	n, err := far.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// Connections that have not said a whole ClientHello take no place and no rate of a listener's limits.
func TestTLSHalfOpenHandshakesTakeNoLimits(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	cfg := tlsOf(t, ca, "server")
	var err error
	if cfg.Admission, err = admission.New(admission.Config{
		Listener: "l", MaxConnections: 2, Rate: 0.001, Burst: 2, Logger: slog.New(slog.DiscardHandler),
	}); err != nil {
		t.Fatal(err)
	}
	s := serveTLS(t, cfg, listenertest.Send, gateway.Limits{})
	halfOpen(t, s.addr, 100)
	for range 2 {
		echoes(t, dialTLS(t, s.addr, ca.Client()), "hello")
	}
	if _, err := tls.Dial("tcp", s.addr, ca.Client()); err == nil {
		t.Error("a third connection of two")
	}
	gatewaytest.Eventually(t, "the refusal", func() bool {
		return s.Count(t, "exgate_tls_handshakes_total",
			"refused") == 1
	})
}

// 10,000 clients that begin a handshake and never end it, more than may be in progress: established devices are served
// all the while, and the memory returns.
func TestTLSTenThousandHalfOpenHandshakes(t *testing.T) {
	clients := 10_000
	if soft, _, err := admission.FileLimit(); err == nil && soft < 14_000 {
		clients = int(soft / 2)
		t.Logf("this process may open %d files: %d clients", soft, clients)
	}
	ca := listenertest.NewIssuer(t)
	s := serveTLS(t, tlsOf(t, ca, "server"), listenertest.Send, gateway.Limits{})
	established := dialTLS(t, s.addr, ca.Client())
	echoes(t, established, "before")
	before := gatewaytest.MemoryInUse()
	conns := halfOpen(t, s.addr, clients)
	for range 100 {
		echoes(t, established, "during")
	}
	gatewaytest.Eventually(t, "the refusals", func() bool {
		return s.Count(t, "exgate_tls_handshakes_total", "busy")+
			s.Count(t, "exgate_tls_handshakes_total", "evicted") >= float64(clients-5*1024)
	})
	closeAll(conns)
	gatewaytest.Eventually(t, "the memory", func() bool { return gatewaytest.MemoryInUse() < before+8<<20 })
	echoes(t, established, "after")
	c := dialTLS(t, s.addr, ca.Client())
	echoes(t, c, "a new device")
}
