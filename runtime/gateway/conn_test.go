package gateway_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// Invariant 1: one at a time, created first, closed last, each once.
func TestEventsAreSerialAndOrdered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		var mu sync.Mutex
		inside := 0
		enter := func() error {
			mu.Lock()
			inside++
			if inside != 1 {
				t.Error("two events at once")
			}
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			inside--
			mu.Unlock()
			return nil
		}
		w.h.created = func(gateway.ConnectionAdapter) error { return enter() }
		w.h.bytes = func(gateway.ConnectionAdapter, []byte) error { return enter() }
		w.h.messages = func(gateway.ConnectionAdapter, []gateway.Message) error { return enter() }
		s := newSocket(-1)
		c := w.lis.open(t, s)
		login(t, c, "d")
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { w.up.deliver("d", "t", "x", 0) })
			wg.Go(func() { c.Post(enter) })
			s.in <- []byte("b")
		}
		wg.Wait()
		for range 3 {
			wg.Go(func() { c.Close(gateway.ReasonNormal) })
		}
		wg.Wait()
		w.stop(t)
		lines := strings.Split(w.h.String(), "\n")
		if lines[0] != "created" || lines[len(lines)-1] != "closed normal" || strings.Count(w.h.String(),
			"closed") != 1 {
			t.Errorf("events: %q", lines)
		}
		w.up.deliver("d", "t", "late", 0)
		if c.Post(func() error { t.Error("event after closed"); return nil }) {
			t.Error("Post accepted an event after closed")
		}
	})
}

// Invariant 1: what comes while OnSocketCreated runs waits for it.
func TestNothingComesBeforeCreated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		w.h.created = func(a gateway.ConnectionAdapter) error {
			a.Post(func() error { w.h.add("posted"); return nil })
			go a.Close(gateway.ReasonNormal.With("asked"))
			time.Sleep(time.Second)
			w.h.add("created ends")
			return nil
		}
		w.lis.open(t, newSocket(-1))
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\ncreated ends\nclosed normal")
		w.stop(t)
	})
}

// Invariant 2: adapter calls are answered while an event is in flight.
func TestAdapterCallsInsideAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		w.h.bytes = func(a gateway.ConnectionAdapter, b []byte) error {
			login(t, a, "d")
			done := make(chan gateway.Result)
			a.Subscribe("s/#", 1, func(r gateway.Result) { done <- r })
			<-done
			a.Publish("t", 2, b, func(r gateway.Result) { done <- r })
			w.h.add("published %v", <-done)
			return nil
		}
		s := newSocket(-1)
		w.lis.open(t, s)
		s.in <- []byte("go")
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\nbytes go\npublished SUCCESS")
		equal(t, "upstream", w.up.String(), "d subscribe s/# 1\nd publish t 2 go")
		w.stop(t)
	})
}

// A completion never runs inside the call, and those of one goroutine keep their order.
func TestDoneComesAfterTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		c := w.lis.open(t, newSocket(-1))
		login(t, c, "d")
		var mu sync.Mutex
		var order []int
		for i := range 50 {
			mu.Lock() // done would deadlock inside the call
			c.Publish("t", 0, nil, func(gateway.Result) {
				mu.Lock()
				defer mu.Unlock()
				order = append(order, i)
			})
			mu.Unlock()
		}
		synctest.Wait()
		for i, n := range order {
			if i != n {
				t.Fatalf("order %v", order)
			}
		}
		if len(order) != 50 {
			t.Errorf("%d completions of 50", len(order))
		}
		w.stop(t)
	})
}

// Invariant 7: an error or a panic ends its own connection only.
func TestHandlerFaultEndsOnlyItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		reasons := make(chan gateway.CloseReason, 4)
		w.h.closed = func(r gateway.CloseReason) { reasons <- r }
		w.h.bytes = func(_ gateway.ConnectionAdapter, b []byte) error {
			switch string(b) {
			case "error":
				return errors.New("boom")
			case "named":
				return &gateway.HandlerError{Reason: gateway.ReasonGuestTrap, Err: errors.New("unreachable")}
			case "panic":
				panic("out of cheese")
			}
			return nil
		}
		healthy := newSocket(-1)
		w.lis.open(t, healthy)
		for _, x := range []struct{ in, reason string }{
			{"error", "handler_failed: boom"},
			{"named", "guest_trap: unreachable"},
			{"panic", "handler_failed: panic: out of cheese"},
		} {
			s := newSocket(-1)
			w.lis.open(t, s)
			s.in <- []byte(x.in)
			if r := <-reasons; r.String() != x.reason {
				t.Errorf("%s: closed with %q, want %q", x.in, r, x.reason)
			}
		}
		healthy.in <- []byte("fine")
		synctest.Wait()
		if closed, _ := healthy.isClosed(); closed {
			t.Error("the healthy connection was closed")
		}
		w.stop(t)
	})
}

func TestPeerClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		s := newSocket(-1)
		c := w.lis.open(t, s)
		login(t, c, "d")
		close(s.in)
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\nclosed tcp_closed")
		equal(t, "upstream", w.up.String(), "d close")
		if closed, _ := s.isClosed(); !closed {
			t.Error("the socket is still open")
		}
		if r := c.Send([]byte("x")); r.Code != gateway.CodeConnProcessNotAlive {
			t.Errorf("send after close: %v", r)
		}
		if r := c.Close(gateway.ReasonKicked); r.Code != gateway.CodeConnProcessNotAlive {
			t.Errorf("close after close: %v", r)
		}
		if _, ok := w.gw.Conn(c.ID()); ok {
			t.Error("the gateway still knows the connection")
		}
		w.stop(t)
	})
}

// OnSocketClosed is called even if the handler refused to start, and a factory that refuses gets no events.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		w.h.created = func(gateway.ConnectionAdapter) error { return errors.New("not today") }
		w.lis.open(t, newSocket(-1))
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\nclosed handler_failed")

		w.h.refuse = errors.New("no instance")
		if _, err := w.lis.attach(newSocket(-1)); err == nil {
			t.Error("attach succeeded without a handler")
		}
		equal(t, "events", w.h.String(), "created\nclosed handler_failed")
		w.stop(t)
	})
}

func TestShutdownTellsDrainsAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		s := newSocket(-1)
		w.lis.open(t, s)
		w.stop(t)
		equal(t, "events", w.h.String(), "created\ndrain\nclosed shutdown")
		<-w.h.freed
		<-w.up.freed
		if err := w.gw.SetHandler("x", newScript()); err == nil {
			t.Error("a stopped gateway took a handler")
		}
	})
}

func TestShutdownCutsOffWhatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		stuck := make(chan struct{})
		w.h.bytes = func(gateway.ConnectionAdapter, []byte) error { <-stuck; return nil }
		s := newSocket(-1)
		w.lis.open(t, s)
		s.in <- []byte("x")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := w.gw.Shutdown(ctx)
		if err == nil || !strings.Contains(err.Error(), "1 connections did not end in time") {
			t.Errorf("shutdown: %v", err)
		}
		if _, aborted := s.isClosed(); !aborted {
			t.Error("the socket was not cut off")
		}
		close(stuck)
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\nbytes x\nclosed shutdown")
	})
}
