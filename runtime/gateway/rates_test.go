package gateway_test

import (
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// stream feeds a socket as fast as it is read, chunk bytes at a time, until stop is closed, and returns how much it
// sent.
func stream(s *socket, chunk int, stop <-chan struct{}) (sent int) {
	b := make([]byte, chunk)
	for {
		select {
		case s.in <- b:
			sent += chunk
		case <-stop:
			return sent
		}
	}
}

// received runs a device that sends as fast as it can for ten seconds and returns what was handed to its handler.
func received(t *testing.T, limits gateway.Limits, chunk int) (bytes, reads int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, limits, "")
		w.h.bytes = func(_ gateway.ConnectionAdapter, b []byte) error {
			bytes += len(b)
			reads++
			return nil
		}
		s := newSocket(-1)
		w.lis.open(t, s)
		stop, sent := make(chan struct{}), make(chan int, 1)
		go func() { sent <- stream(s, chunk, stop) }()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		close(stop)
		if n := <-sent; n != bytes {
			t.Errorf("%d bytes were sent, %d handled", n, bytes)
		}
		w.stop(t)
	})
	return bytes, reads
}

func within(t *testing.T, what string, got, want, part float64) {
	t.Helper()
	if math.Abs(got-want) > part*want {
		t.Errorf("%s: %.0f, want %.0f within %.0f %%", what, got, want, 100*part)
	}
}

// A rate of N bytes a second stays within 5 % of N over 10 s.
func TestBytesPerSecond(t *testing.T) {
	for _, chunk := range []int{100, 1000, 16 << 10} {
		bytes, _ := received(t, gateway.Limits{BytesPerSecond: 1 << 20}, chunk)
		within(t, "bytes", float64(bytes), 10*(1<<20), 0.05)
	}
}

func TestMessagesPerSecond(t *testing.T) {
	_, reads := received(t, gateway.Limits{MessagesPerSecond: 50}, 10)
	within(t, "messages", float64(reads), 500, 0.05)
}

// A silent device may send a burst afterwards, and no more.
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{MessagesPerSecond: 1, MessagesBurst: 5}, "")
		s := newSocket(-1)
		w.lis.open(t, s)
		s.in <- []byte("x")
		time.Sleep(time.Minute)
		stop := make(chan struct{})
		go stream(s, 1, stop)
		synctest.Wait()
		if n := strings.Count(w.h.String(), "bytes"); n != 7 { // the first, a burst of 5, and one into debt
			t.Errorf("%d reads at once", n)
		}
		close(stop)
		w.stop(t)
	})
}

// The listener's rate applies to its connections together, and each gets a share.
func TestListenerRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		if err := w.gw.ChangeListener("l", gateway.ListenerConfig{
			Handler: "h", Connector: "c",
			ListenerBytesPerSecond: 100_000,
		}); err != nil {
			t.Fatal(err)
		}
		total := make(chan int, 100_000)
		w.h.bytes = func(_ gateway.ConnectionAdapter, b []byte) error { total <- len(b); return nil }
		stop := make(chan struct{})
		for range 10 {
			s := newSocket(-1)
			w.lis.open(t, s)
			go stream(s, 500, stop)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		close(stop)
		sum := 0
		for len(total) > 0 {
			sum += <-total
		}
		within(t, "bytes of ten connections", float64(sum), 1_000_000, 0.05)
		w.stop(t)
	})
}

// A handler that publishes too often slows its device down; every publish goes out.
func TestPublishesPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{PublishesPerSecond: 20}, "")
		w.h.bytes = func(a gateway.ConnectionAdapter, b []byte) error {
			if r := a.Publish("t", 0, b, nil); !r.Ok() {
				t.Error(r)
			}
			return nil
		}
		s := newSocket(-1)
		login(t, w.lis.open(t, s), "d")
		stop := make(chan struct{})
		go stream(s, 1, stop)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		close(stop)
		within(t, "publishes", float64(strings.Count(w.up.String(), "publish")), 200, 0.05)
		w.stop(t)
	})
}

// publishing runs a device that sends as fast as it can for the time, each of whose events publishes so many times.
func publishing(t *testing.T, limits gateway.Limits, each int, during time.Duration) (published, refused int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, limits, "")
		w.h.bytes = func(a gateway.ConnectionAdapter, b []byte) error {
			for range each {
				switch r := a.Publish("t", 0, b, nil); {
				case r.Ok():
				case r.Code == gateway.CodeLimit && strings.Contains(r.Message, "limits.publishes_burst"):
					refused++
				default:
					t.Error(r)
				}
			}
			return nil
		}
		s := newSocket(-1)
		login(t, w.lis.open(t, s), "d")
		stop := make(chan struct{})
		go stream(s, 1, stop)
		time.Sleep(during)
		synctest.Wait()
		close(stop)
		published = strings.Count(w.up.String(), "publish")
		w.stop(t)
	})
	return published, refused
}

// A configured burst bounds the publishes of an event: the rest is refused, at once and over time.
func TestPublishesBurstHoldsWithinAnEvent(t *testing.T) {
	limits := gateway.Limits{PublishesPerSecond: 10, PublishesBurst: 3}
	for _, each := range []int{1, 3, 20} {
		if n, _ := publishing(t, limits, each, 0); n != 3 {
			t.Errorf("%d publishes in each event: %d at once, want 3", each, n)
		}
		n, refused := publishing(t, limits, each, 10*time.Second)
		within(t, "publishes", float64(n), 103, 0.05)
		if each <= 3 && refused != 0 {
			t.Errorf("%d of a device whose events keep the burst are refused", refused)
		}
	}
}

// A rate without a burst refuses nothing.
func TestPublishesWithoutABurst(t *testing.T) {
	if n, refused := publishing(t, gateway.Limits{PublishesPerSecond: 10}, 20, 0); n != 20 || refused != 0 {
		t.Errorf("%d publishes, %d refused", n, refused)
	}
}

// A pause for a rate ends when the connection does.
func TestCloseEndsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{MessagesPerSecond: 0.001}, "")
		s := newSocket(-1)
		c := w.lis.open(t, s)
		s.in <- []byte("1")
		synctest.Wait()
		if !c.OverRate() {
			t.Error("not over the rate")
		}
		start := time.Now()
		c.Close(gateway.ReasonKicked)
		synctest.Wait()
		if closed, _ := s.isClosed(); !closed || time.Since(start) != 0 {
			t.Errorf("closed %v after %v", closed, time.Since(start))
		}
		w.stop(t)
	})
}

func TestAuthDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{AuthDeadline: 10 * time.Second, IdleTimeout: time.Hour}, "")
		slow, quick := w.lis.open(t, newSocket(-1)), w.lis.open(t, newSocket(-1))
		login(t, quick, "quick")
		w.after(t, 10*time.Second, "created\ncreated\nclosed auth_timeout")
		if _, ok := w.gw.Conn(slow.ID()); ok {
			t.Error("the connection that did not authenticate is still there")
		}
		w.stop(t)
	})
}

// A large read comes in pieces, nothing lost.
func TestMaxEventBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{MaxEventBytes: 4}, "")
		s := newSocket(-1)
		w.lis.open(t, s)
		s.in <- []byte("0123456789")
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\nbytes 0123\nbytes 4567\nbytes 89")
		w.stop(t)
	})
}

// observed is a socket that observes refused logins.
type observed struct {
	*socket
	failed int
}

func (o *observed) AuthFailed() { o.failed++ }

func TestTransportLearnsOfRefusedLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		o := &observed{socket: newSocket(-1)}
		<-w.lis.serving
		c, err := w.lis.attach(o)
		if err != nil {
			t.Fatal(err)
		}
		go o.serve(c)
		done := make(chan gateway.Result, 1)
		c.Authenticate(gateway.ClientInfo{ClientID: "d"}, "wrong", func(r gateway.Result) { done <- r })
		<-done
		login(t, c, "d")
		if o.failed != 1 {
			t.Errorf("%d refused logins reported", o.failed)
		}
		w.stop(t)
	})
}

// Shutdown waits until closed connections have sent what is queued.
func TestShutdownWaitsForTheLastBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		s := newSocket(0)
		c := w.lis.open(t, s)
		c.Send([]byte("goodbye"))
		go func() {
			time.Sleep(2 * time.Second)
			s.allow(-1)
		}()
		w.stop(t)
		equal(t, "written when Shutdown returned", s.written(), "goodbye")
	})
}
