package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// newBusyHouse has a device d that is logged in, and whose handler is busy with its bytes until busy is closed.
func newBusyHouse(t *testing.T, limits gateway.Limits) (w *house, busy chan struct{}) {
	t.Helper()
	w, busy = newHouse(t, limits, ""), make(chan struct{})
	w.h.bytes = func(gateway.ConnectionAdapter, []byte) error { <-busy; return nil }
	s := newSocket(-1)
	login(t, w.lis.open(t, s), "d")
	s.in <- []byte("x")
	synctest.Wait()
	return w, busy
}

// Invariant 5: messages that a busy handler cannot take are dropped at QoS 0.
func TestInboxDropsQoS0WhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, busy := newBusyHouse(t, gateway.Limits{InboxMessages: 3})
		taken := 0
		for i := range 5 {
			if w.up.deliver("d", "t", fmt.Sprint(i), 0) {
				taken++
			}
		}
		if taken != 3 {
			t.Errorf("%d of 5 taken, want 3", taken)
		}
		close(busy)
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\nbytes x\nmessages t=0 t=1 t=2")
		w.stop(t)
	})
}

// Invariant 5 and 6: a message of higher QoS is never dropped silently.
func TestInboxClosesForQoS1WhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, busy := newBusyHouse(t, gateway.Limits{InboxBytes: 10})
		if !w.up.deliver("d", "t", strings.Repeat("x", 11), 1) {
			t.Error("the first message always fits")
		}
		if w.up.deliver("d", "t", "y", 1) {
			t.Error("a message over the limit was taken")
		}
		close(busy)
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\nbytes x\nclosed message_queue_full")
		w.stop(t)
	})
}

// The reading goroutine gets its turn between batches: a flood of messages does not silence a device.
func TestMessagesDoNotStarveBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newHouse(t, gateway.Limits{}, "")
		w.h.messages = func(gateway.ConnectionAdapter, []gateway.Message) error {
			time.Sleep(time.Millisecond)
			w.up.deliver("d", "t", "again", 0)
			return nil
		}
		s := newSocket(-1)
		c := w.lis.open(t, s)
		login(t, c, "d")
		w.up.deliver("d", "t", "first", 0)
		for range 10 {
			s.in <- []byte("b")
		}
		synctest.Wait()
		if n := strings.Count(w.h.String(), "bytes b"); n != 10 {
			t.Errorf("%d of 10 reads were handled", n)
		}
		c.Close(gateway.ReasonNormal)
		w.stop(t)
	})
}

func TestDuplicateClientDiscardsTheOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newHouse(t, gateway.Limits{}, "")
		older := w.lis.open(t, newSocket(-1))
		login(t, older, "d")
		synctest.Wait()
		newer := w.lis.open(t, newSocket(-1))
		login(t, newer, "d")
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\ncreated\nclosed discarded")
		if _, ok := w.gw.Conn(newer.ID()); !ok {
			t.Error("the newer connection is gone")
		}
		newer.Close(gateway.ReasonNormal)
		synctest.Wait()
		third := w.lis.open(t, newSocket(-1))
		login(t, third, "d")
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\ncreated\nclosed discarded\nclosed normal\ncreated")
		w.stop(t)
	})
}

// A client id is not lost to somebody without its password.
func TestFailedLoginDiscardsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newHouse(t, gateway.Limits{}, "")
		owner := w.lis.open(t, newSocket(-1))
		login(t, owner, "d")
		thief := w.lis.open(t, newSocket(-1))
		done := make(chan gateway.Result, 1)
		thief.Authenticate(gateway.ClientInfo{ClientID: "d"}, "wrong", func(r gateway.Result) { done <- r })
		if r := <-done; r.Code != gateway.CodePermissionDeny {
			t.Error(r)
		}
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\ncreated")
		w.stop(t)
	})
}

// Many connections that log in with one client id leave exactly one.
func TestConcurrentLoginsLeaveOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newHouse(t, gateway.Limits{}, "")
		w.up.connect = func(context.Context, gateway.ClientInfo) error { time.Sleep(10 * time.Millisecond); return nil }
		for range 20 {
			c := w.lis.open(t, newSocket(-1))
			c.Authenticate(gateway.ClientInfo{ClientID: "d"}, "", nil)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := strings.Count(w.h.String(), "closed discarded"); n != 19 {
			t.Errorf("%d discarded, want 19", n)
		}
		w.stop(t)
	})
}

func TestCloseDuringLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newHouse(t, gateway.Limits{}, "")
		w.up.connect = func(ctx context.Context, _ gateway.ClientInfo) error { <-ctx.Done(); return ctx.Err() }
		c := w.lis.open(t, newSocket(-1))
		done := make(chan gateway.Result, 1)
		c.Authenticate(gateway.ClientInfo{ClientID: "d"}, "", func(r gateway.Result) { done <- r })
		synctest.Wait()
		c.Close(gateway.ReasonNormal)
		if r := <-done; r.Code != gateway.CodeConnProcessNotAlive {
			t.Error(r)
		}
		w.stop(t)
	})
}

func TestSessionLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newHouse(t, gateway.Limits{}, "")
		c := w.lis.open(t, newSocket(-1))
		login(t, c, "d")
		w.up.down["d"].SessionLost(gateway.ReasonDiscarded)
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\nclosed discarded")
		w.stop(t)
	})
}
