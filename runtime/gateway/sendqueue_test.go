package gateway_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// Invariant 3: Send queues, keeps order, and continues when the slow peer reads again.
func TestSendToSlowPeerKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		s := newSocket(3)
		c := w.lis.open(t, s)
		b := []byte("abcde")
		for range 3 {
			if r := c.Send(b); !r.Ok() {
				t.Fatal(r)
			}
		}
		clear(b) // Send has copied
		synctest.Wait()
		equal(t, "written", s.written(), "abc")
		s.allow(-1)
		synctest.Wait()
		equal(t, "written", s.written(), "abcdeabcdeabcde")
		c.Send([]byte("!"))
		equal(t, "written", s.written(), "abcdeabcdeabcde!")
		w.stop(t)
	})
}

// Invariant 3: a full queue closes the slow peer, with the reason.
func TestFullSendQueueClosesThePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{SendQueueBytes: 10}, "")
		s := newSocket(0)
		c := w.lis.open(t, s)
		if r := c.Send(make([]byte, 10)); !r.Ok() {
			t.Fatal(r)
		}
		if r := c.Send([]byte("x")); r.Code != gateway.CodeConnProcessNotAlive {
			t.Errorf("send over the limit: %v", r)
		}
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\nclosed send_queue_full")
		if _, aborted := s.isClosed(); !aborted {
			t.Error("the slow peer's socket was not cut off")
		}
		w.stop(t)
	})
}

func TestSendTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{SendTimeout: 3 * time.Second, IdleTimeout: time.Hour}, "")
		c := w.lis.open(t, newSocket(0))
		start := time.Now()
		c.Send([]byte("x"))
		w.after(t, 2*time.Second, "created")
		w.after(t, time.Second, "created\nclosed send_timeout")
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("ended after %v", d)
		}
		w.stop(t)
	})
}

// A write that had to wait must not leave its deadline set.
func TestSendWorksAgainAfterASlowWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{IdleTimeout: time.Hour}, "")
		s := newSocket(0)
		c := w.lis.open(t, s)
		c.Send([]byte("slow"))
		synctest.Wait()
		s.allow(-1)
		synctest.Wait()
		if !s.deadlineIsZero() {
			t.Error("a write deadline was left on the socket")
		}
		time.Sleep(time.Minute)
		if r := c.Send([]byte("-late")); !r.Ok() {
			t.Error(r)
		}
		equal(t, "written", s.written(), "slow-late")
		w.stop(t)
	})
}

func (s *socket) deadlineIsZero() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deadline.IsZero()
}

// What was sent before Close is still sent; then the peer sees the end.
func TestCloseSendsWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		s := newSocket(4)
		c := w.lis.open(t, s)
		c.Send([]byte("goodbye"))
		c.Close(gateway.ReasonNormal)
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\nclosed normal")
		equal(t, "written before", s.written(), "good")
		s.allow(-1)
		synctest.Wait()
		equal(t, "written after", s.written(), "goodbye")
		if closed, aborted := s.isClosed(); !closed || aborted {
			t.Errorf("closed %v, aborted %v", closed, aborted)
		}
		w.stop(t)
	})
}

// A closed connection whose peer does not read is aborted.
func TestCloseGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{CloseTimeout: 2 * time.Second}, "")
		s := newSocket(0)
		c := w.lis.open(t, s)
		c.Send([]byte("goodbye"))
		synctest.Wait()
		c.Close(gateway.ReasonNormal)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if closed, _ := s.isClosed(); !closed {
			t.Error("the socket is still open")
		}
		w.stop(t)
	})
}

func TestLargeSendGoesOutInChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		s := newSocket(1000)
		c := w.lis.open(t, s)
		big := bytes.Repeat([]byte("0123456789"), 800_000)
		if r := c.Send(big); !r.Ok() {
			t.Fatal(r)
		}
		s.allow(-1)
		synctest.Wait()
		if s.written() != string(big) {
			t.Error("8 MB did not arrive as sent")
		}
		w.stop(t)
	})
}

// Sends of many goroutines never mix.
func TestConcurrentSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		s := newSocket(7)
		c := w.lis.open(t, s)
		for _, x := range []string{"aaaaa", "bbbbb", "ccccc", "ddddd"} {
			go func() {
				for range 100 {
					c.Send([]byte(x))
				}
			}()
		}
		synctest.Wait()
		s.allow(-1)
		synctest.Wait()
		left := s.written()
		for len(left) > 0 {
			frame := left[:5]
			if strings.Count(frame, frame[:1]) != 5 {
				t.Fatalf("mixed frame %q", frame)
			}
			left = left[5:]
		}
		w.stop(t)
	})
}

// overtakenSocket closes the connection during a Send.
type overtakenSocket struct {
	*socket
	overtake func()
}

func (s *overtakenSocket) CheckSend(int) gateway.Result {
	s.overtake()
	return gateway.OK
}

// A Send that comes when Close, on another goroutine, has ended the writing is refused: it would cost the peer what was
// sent before.
func TestSendBehindCloseIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		s := &overtakenSocket{newSocket(-1), func() {}}
		c := w.lis.open(t, s)
		if r := c.Send([]byte("goodbye")); !r.Ok() {
			t.Fatal(r)
		}
		s.overtake = func() { c.Close(gateway.ReasonNormal) }
		if r := c.Send([]byte("late")); r.Code != gateway.CodeConnProcessNotAlive {
			t.Errorf("a Send behind the end: %v", r)
		}
		synctest.Wait()
		equal(t, "written", s.written(), "goodbye")
		equal(t, "events", w.h.String(), "created\nclosed normal")
		w.stop(t)
	})
}
