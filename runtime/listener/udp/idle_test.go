package udp_test

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/listener/admission"
	"github.com/exgate/exgate/runtime/listener/listenertest"
	"github.com/exgate/exgate/runtime/listener/udp"
)

// keepTalking asks again and again until a connection was closed, and returns why.
func keepTalking(t *testing.T, c *net.UDPConn, closed <-chan gateway.CloseReason) gateway.CloseReason {
	t.Helper()
	for {
		select {
		case r := <-closed:
			return r
		default:
			listenertest.Ask(t, c, []byte("x"))
		}
	}
}

// A peer that falls silent ends; the traffic of another does not keep it alive, and that one stays.
func TestUDPIdleTimeout(t *testing.T) {
	s := serveUDP(t, udp.Config{IdleTimeout: 2 * time.Second}, listenertest.Send)
	silent, busy := listenertest.DialUDP(t, "", s.listener.Addr().String()),
		listenertest.DialUDP(t, "", s.listener.Addr().String())
	listenertest.Ask(t, silent, []byte("x"))
	listenertest.Ask(t, busy, []byte("x"))
	if r := keepTalking(t, busy, s.Closed); !r.Is(gateway.ReasonIdleTimeout) {
		t.Errorf("closed with %v", r)
	}
	gatewaytest.Eventually(t, "only the busy one is left", func() bool {
		listenertest.Ask(t, busy, []byte("x"))
		return s.open() == 1
	})
	for c := range s.Gateway.Conns() {
		if c.Info().Peer.String() != busy.LocalAddr().String() {
			t.Errorf("%v is left", c.Info().Peer)
		}
	}
}

// From StartTimer on, the keepalive decides and not the idle timeout.
func TestUDPKeepaliveTakesOver(t *testing.T) {
	s := serveUDP(t, udp.Config{IdleTimeout: 50 * time.Millisecond}, func(a gateway.ConnectionAdapter, b []byte) {
		a.StartTimer(gateway.TimerKeepalive, 1)
		a.Send(b)
	})
	gatewaytest.Eventually(t, "a keepalive that began in time ends its peer", func() bool {
		c := listenertest.DialUDP(t, "", s.listener.Addr().String())
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		r := <-s.Closed
		if !r.Is(gateway.ReasonKeepaliveTimeout) && !r.Is(gateway.ReasonIdleTimeout) {
			t.Fatalf("closed with %v", r)
		}
		return r.Is(gateway.ReasonKeepaliveTimeout)
	})
}

// What comes while the handler paused the connection waits in the peer's queue, in order.
func TestUDPWaitsWhilePaused(t *testing.T) {
	paused := make(chan gateway.ConnectionAdapter, 1)
	s := serveUDP(t, udp.Config{}, func(a gateway.ConnectionAdapter, b []byte) {
		if string(b) == "pause" {
			a.Pause()
			paused <- a
		}
		a.Send(b)
	})
	c := listenertest.DialUDP(t, "", s.listener.Addr().String())
	for round := range 20 {
		listenertest.Ask(t, c, []byte("pause"))
		a := <-paused
		if round == 10 {
			a.Resume() // before anything waits
		}
		for _, b := range []string{"one", "two", "three"} {
			if _, err := c.Write([]byte(b)); err != nil {
				t.Fatal(err)
			}
		}
		a.Resume()
		for _, want := range []string{"one", "two", "three"} {
			got := make([]byte, 16)
			n, err := c.Read(got)
			if err != nil || string(got[:n]) != want {
				t.Fatalf("round %d: got %q, %v, want %q", round, got[:n], err, want)
			}
		}
	}
}

// A peer whose handler never resumes is ended like any other: by its close, and by the idle timeout.
func TestUDPEndsWhilePaused(t *testing.T) {
	for _, how := range []string{"close", "idle"} {
		t.Run(how, func(t *testing.T) {
			paused := make(chan gateway.ConnectionAdapter, 1)
			cfg := udp.Config{IdleTimeout: time.Minute}
			if how == "idle" {
				cfg.IdleTimeout = 100 * time.Millisecond
			}
			s := serveUDP(t, cfg, func(a gateway.ConnectionAdapter, _ []byte) {
				a.Pause()
				paused <- a
			})
			c := listenertest.DialUDP(t, "", s.listener.Addr().String())
			for _, b := range []string{"pause", "held"} {
				if _, err := c.Write([]byte(b)); err != nil {
					t.Fatal(err)
				}
			}
			a, want := <-paused, gateway.ReasonIdleTimeout
			if how == "close" {
				a.Close(gateway.ReasonKicked)
				want = gateway.ReasonKicked
			}
			if r := <-s.Closed; !r.Is(want) {
				t.Errorf("closed with %v", r)
			}
		})
	}
}

// What comes over a rate is dropped and counted.
func TestUDPDropsOverRate(t *testing.T) {
	s := serveUDPWith(t, udp.Config{}, gateway.Limits{MessagesPerSecond: 0.001},
		func(a gateway.ConnectionAdapter, b []byte) { a.Send(b) })
	c := listenertest.DialUDP(t, "", s.listener.Addr().String())
	listenertest.Ask(t, c, []byte("heard"))
	if _, err := c.Write([]byte("lost")); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Eventually(t, "a datagram dropped for the rate", func() bool { return s.dropped(t, "over_rate") == 1 })
}

// A refused source gets no connection, and its datagrams cost nothing.
func TestUDPAdmission(t *testing.T) {
	access, err := admission.ParseAccess([]string{"deny 127.0.0.9", "allow all"})
	if err != nil {
		t.Fatal(err)
	}
	admission, err := admission.New(admission.Config{
		Listener: "udp", Access: access, MaxPerSource: 1, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := serveUDP(t, udp.Config{Admission: admission, IdleTimeout: time.Minute},
		func(a gateway.ConnectionAdapter, b []byte) {
			a.Send(b)
			if string(b) == "bye" {
				a.Close(gateway.ReasonNormal)
			}
		})
	addr := s.listener.Addr().String()
	first, second := listenertest.DialUDP(t, "", addr), listenertest.DialUDP(t, "", addr)
	listenertest.Ask(t, first, []byte("x"))
	_, err = second.Write([]byte("one too many"))
	_, err2 := listenertest.DialUDP(t, "127.0.0.9", addr).Write([]byte("denied"))
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Eventually(t, "both refused", func() bool {
		return s.dropped(t, "not_admitted") == 1 &&
			s.dropped(t, "screened") == 1
	})
	listenertest.Ask(t, first, []byte("bye"))
	<-s.Closed
	listenertest.AskAgain(t, second) // the place is free
}

// Connections that come and go as fast as datagrams do each end once, and leave no place taken.
func TestUDPChurn(t *testing.T) {
	const peers, rounds = 16, 100
	admission, err := admission.New(admission.Config{
		Listener: "udp", MaxConnections: 2 * peers, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := serveUDP(t, udp.Config{Admission: admission}, func(a gateway.ConnectionAdapter, b []byte) {
		a.Send(b)
		a.Close(gateway.ReasonNormal)
	})
	var wg sync.WaitGroup
	for range peers {
		c := listenertest.DialUDP(t, "", s.listener.Addr().String())
		wg.Go(func() {
			for range rounds {
				listenertest.AskAgain(t, c)
			}
		})
	}
	wg.Wait()
	gatewaytest.Eventually(t, "all connections ended", func() bool { return s.open() == 0 })
	if created, closed := len(s.Info), len(s.Closed); created != closed || created < peers*rounds {
		t.Errorf("%d created and %d closed events", created, closed)
	}
	for range 2 * peers { // every place is free again
		listenertest.AskAgain(t, listenertest.DialUDP(t, "", s.listener.Addr().String()))
	}
}

// Peers whose handlers wait for remote services do not delay others, however many they are.
func TestUDPSlowHandlersDelayNobody(t *testing.T) {
	hold := make(chan struct{})
	defer close(hold)
	s := serveUDP(t, udp.Config{}, func(a gateway.ConnectionAdapter, b []byte) {
		if string(b) == "slow" {
			<-hold
		}
		a.Send(b)
	})
	for range 100 {
		if _, err := listenertest.DialUDP(t, "", s.listener.Addr().String()).Write([]byte("slow")); err != nil {
			t.Fatal(err)
		}
	}
	if got := listenertest.Ask(t, listenertest.DialUDP(t, "", s.listener.Addr().String()),
		[]byte("fast")); string(got) != "fast" {
		t.Errorf("got %q", got)
	}
}
