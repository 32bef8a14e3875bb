package gateway_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// The queues of devices that do not read stay within the budget; a device that reads stays and gets everything.
func TestQueueBudgetClosesThoseThatDoNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const budget = 1 << 20
		w := newFixtureOf(t, gateway.Config{QueueBytes: budget}, gateway.Limits{IdleTimeout: time.Hour}, "")
		reading := newSocket(-1)
		honest := w.lis.open(t, reading)
		var lazy []*gateway.Conn
		for range 40 {
			lazy = append(lazy, w.lis.open(t, newSocket(100)))
		}
		sent := 0
		chunk := make([]byte, 16<<10)
		for range 10 {
			for _, c := range lazy {
				c.Send(chunk)
				if n := w.gw.QueuedBytes(); n > budget {
					t.Fatalf("%d bytes wait, more than %d", n, budget)
				}
			}
			if r := honest.Send(chunk); !r.Ok() {
				t.Fatalf("the device that reads: %v", r)
			}
			sent += len(chunk)
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if n := len(reading.written()); n != sent {
			t.Errorf("the device that reads got %d of %d bytes", n, sent)
		}
		closed := 0
		for _, c := range lazy {
			if r := c.Send([]byte("x")); !r.Ok() {
				closed++
			}
		}
		if closed == 0 || closed == len(lazy) {
			t.Errorf("%d of %d that do not read were closed", closed, len(lazy))
		}
		for _, c := range append(lazy, honest) {
			c.Close(gateway.ReasonKicked)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := w.gw.QueuedBytes(); n != 0 {
			t.Errorf("%d bytes are counted after all have gone", n)
		}
		w.stop(t)
	})
}

// A device that reads now and then is closed after those that do not read at all, however long its queue is.
func TestQueueBudgetSparesTheSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixtureOf(t, gateway.Config{QueueBytes: 1 << 20}, gateway.Limits{IdleTimeout: time.Hour}, "")
		s := newSocket(0)
		slow := w.lis.open(t, s)
		slow.Send(make([]byte, 900<<10))
		stuck := w.lis.open(t, newSocket(0))
		stuck.Send(make([]byte, 100<<10))
		for range 5 {
			time.Sleep(500 * time.Millisecond)
			s.allow(64 << 10)
			synctest.Wait()
		}
		other := w.lis.open(t, newSocket(0))
		other.Send(make([]byte, 400<<10))
		synctest.Wait()
		if r := slow.Send([]byte("x")); !r.Ok() {
			t.Errorf("the slow device: %v", r)
		}
		if r := stuck.Send([]byte("x")); r.Ok() {
			t.Error("the device that takes nothing is still there")
		}
		for _, c := range []*gateway.Conn{slow, other} {
			c.Close(gateway.ReasonKicked)
		}
		time.Sleep(time.Minute)
		w.stop(t)
	})
}

// Messages that wait for a handler count too, until they are handled or dropped.
func TestQueueBudgetCountsMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const budget = 64 << 10
		w := newFixtureOf(t, gateway.Config{QueueBytes: budget},
			gateway.Limits{IdleTimeout: time.Hour, InboxMessages: 100000, InboxBytes: 1 << 30}, "")
		gate := make(chan struct{})
		w.h.bytes = func(gateway.ConnectionAdapter, []byte) error { <-gate; return nil }
		busy := w.lis.open(t, newSocket(-1))
		login(t, busy, "busy")
		other := w.lis.open(t, newSocket(-1))
		login(t, other, "other")
		go func() { _ = busy.Receive([]byte("x")) }() // its handler is busy
		synctest.Wait()
		for i := range 1000 {
			w.up.deliver("busy", "t", fmt.Sprint(i), 0)
			w.up.deliver("other", "t", fmt.Sprint(i), 0)
			synctest.Wait()
			if n := w.gw.QueuedBytes(); n > budget {
				t.Fatalf("%d bytes wait, more than %d", n, budget)
			}
		}
		if r := busy.Send([]byte("x")); r.Ok() {
			t.Error("the device whose handler takes nothing is still there")
		}
		if r := other.Send([]byte("x")); !r.Ok() {
			t.Errorf("the other device: %v", r)
		}
		close(gate)
		synctest.Wait()
		if n := w.gw.QueuedBytes(); n != 0 {
			t.Errorf("%d bytes are counted with empty queues", n)
		}
		w.stop(t)
	})
}

// Small pieces share a chunk, and their order is kept.
func TestSmallSendsShareChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{IdleTimeout: time.Hour}, "")
		s := newSocket(0)
		c := w.lis.open(t, s)
		want := ""
		for i := range 1000 {
			piece := fmt.Sprint(i, ",")
			want += piece
			c.Send([]byte(piece))
		}
		s.allow(-1)
		synctest.Wait()
		equal(t, "written", s.written(), want)
		w.stop(t)
	})
}
