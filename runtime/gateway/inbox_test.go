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

// newBusyFixture has a device d that is logged in, and whose handler is busy with its bytes until busy is closed.
func newBusyFixture(t *testing.T, limits gateway.Limits) (w *fixture, busy chan struct{}) {
	t.Helper()
	w, busy = newFixture(t, limits, ""), make(chan struct{})
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
		w, busy := newBusyFixture(t, gateway.Limits{InboxMessages: 3})
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
		w, busy := newBusyFixture(t, gateway.Limits{InboxBytes: 10})
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

// The reading goroutine runs between batches: a flood of messages does not keep a device from being read.
func TestMessagesDoNotStarveBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
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
		time.Sleep(2 * time.Millisecond) // the last read may wait for a batch that is being handled
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
		w := newFixture(t, gateway.Limits{}, "")
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

// A login with a wrong password does not take over a client id.
func TestFailedLoginDiscardsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
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
		w := newFixture(t, gateway.Limits{}, "")
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
		w := newFixture(t, gateway.Limits{}, "")
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
		w := newFixture(t, gateway.Limits{}, "")
		c := w.lis.open(t, newSocket(-1))
		login(t, c, "d")
		w.up.down["d"].SessionLost(gateway.ReasonDiscarded)
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\nclosed discarded")
		w.stop(t)
	})
}

// Invariant 9: a connector delivers messages of a resumed session before Connect has returned, as a broker sends them
// right behind CONNACK. The handler gets the result first, and the messages without the mountpoint.
func TestMessagesBeforeTheLoginsResult(t *testing.T) {
	for name, c := range map[string]struct {
		limits   gateway.Limits
		password string
		early    int
		qos      byte
		want     string
	}{
		"in order": {password: "pw", early: 3, want: "created\nresult success\nmessages m=0 m=1 m=2"},
		"none":     {password: "pw", want: "created\nresult success"},
		"refused":  {password: "wrong", early: 2, want: "created\nresult permission_deny"},
		"full, QoS 0": {
			limits: gateway.Limits{InboxMessages: 2}, password: "pw", early: 3,
			want: "created\nresult success\nmessages m=0 m=1",
		},
		"full, bytes": {
			limits: gateway.Limits{InboxBytes: 2}, password: "pw", early: 3,
			want: "created\nresult success\nmessages m=0 m=1",
		},
		"full, QoS 1": {
			limits: gateway.Limits{InboxMessages: 2}, password: "pw", early: 3, qos: 1,
			want: "created\nclosed message_queue_full",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFixture(t, c.limits, "devices/${clientid}/")
				conn := w.lis.open(t, newSocket(-1))
				w.up.connect = func(context.Context, gateway.ClientInfo) error {
					for i := range c.early {
						conn.Deliver(gateway.Message{Topic: "devices/d/m", Payload: []byte(fmt.Sprint(i)), QoS: c.qos})
					}
					return nil
				}
				conn.Authenticate(gateway.ClientInfo{ClientID: "d"}, c.password, func(r gateway.Result) {
					conn.Post(func() error {
						w.h.add("result %s", r.Code)
						return nil
					})
				})
				synctest.Wait()
				equal(t, "events", strings.ToLower(w.h.String()), c.want)
				w.stop(t)
			})
		})
	}
}

// Messages that arrive between the session and the result wait until the handler has the result.
func TestMessagesWhileTheResultIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "mount/")
		conn := w.lis.open(t, newSocket(-1))
		conn.Authenticate(gateway.ClientInfo{ClientID: "d"}, "pw", func(gateway.Result) {
			w.up.deliver("d", "mount/t", "1", 1)
			conn.Post(func() error {
				w.h.add("result")
				return nil
			})
			w.up.deliver("d", "mount/t", "2", 1)
		})
		synctest.Wait()
		w.up.deliver("d", "mount/t", "3", 1)
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\nresult\nmessages t=1 t=2\nmessages t=3")
		w.stop(t)
	})
}
