package gateway_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// held is a fixture whose handler blocks in each event of bytes until the test releases it or its connection closes.
type held struct {
	*fixture
	sock *socket
	conn *gateway.Conn
	goOn chan struct{}
}

func newHeld(t *testing.T, limits gateway.Limits) *held {
	h := &held{fixture: newFixture(t, limits, ""), sock: newSocket(-1), goOn: make(chan struct{})}
	h.h.bytes = func(a gateway.ConnectionAdapter, _ []byte) error {
		interrupted := make(chan struct{})
		release := a.Hold(func() { close(interrupted) })
		if release == nil {
			h.h.add("not held")
			return errors.New("the handler is away")
		}
		defer release()
		select {
		case <-interrupted:
			h.h.add("interrupted")
			return errors.New("the handler is away")
		case <-h.goOn:
			return nil
		}
	}
	h.conn = h.lis.open(t, h.sock)
	return h
}

func TestCloseInterruptsAHeldEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld(t, gateway.Limits{})
		h.sock.in <- []byte("x")
		synctest.Wait()
		h.conn.Close(gateway.ReasonKicked)
		synctest.Wait()
		equal(t, "events", h.h.String(), "created\nbytes x\ninterrupted\nclosed kicked")
		h.stop(t)
	})
}

func TestShutdownInterruptsAHeldEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld(t, gateway.Limits{})
		h.sock.in <- []byte("x")
		synctest.Wait()
		begun := time.Now()
		h.stop(t)
		if took := time.Since(begun); took != 0 {
			t.Errorf("Shutdown took %v", took)
		}
		equal(t, "events", h.h.String(), "created\nbytes x\ninterrupted\nclosed shutdown")
	})
}

// An event that was running when the gateway began to stop must not begin to wait.
func TestNothingIsHeldOnceTheGatewayStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld(t, gateway.Limits{})
		entered, wait := make(chan struct{}), h.h.bytes
		h.h.bytes = func(a gateway.ConnectionAdapter, b []byte) error {
			close(entered)
			<-h.goOn
			return wait(a, b)
		}
		h.sock.in <- []byte("x")
		<-entered
		stopped := make(chan error)
		go func() { stopped <- h.gw.Shutdown(context.Background()) }()
		synctest.Wait()
		h.goOn <- struct{}{}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		equal(t, "events", h.h.String(), "created\nbytes x\nnot held\nclosed shutdown")
	})
}

func TestDeviceThatLeavesEndsAHeldEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld(t, gateway.Limits{})
		h.sock.in <- []byte("x")
		h.after(t, 10*time.Second, "created\nbytes x")
		h.sock.leave(io.EOF)
		h.after(t, time.Second, "created\nbytes x\ninterrupted\nclosed tcp_closed")
		h.stop(t)
	})
}

// The device is not read while an event is held, so silence does not count against it.
func TestHeldDeviceDoesNotTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld(t, gateway.Limits{AuthDeadline: 5 * time.Second})
		h.conn.StartTimer(gateway.TimerKeepalive, 10)
		h.sock.in <- []byte("x")
		time.Sleep(time.Minute)
		h.goOn <- struct{}{}
		synctest.Wait()
		login(t, h.conn, "c1")
		h.after(t, 9*time.Second, "created\nbytes x")
		h.after(t, time.Second, "created\nbytes x\ntimer\nclosed keepalive_timeout")
		h.stop(t)
	})
}

func TestHeldFirstEventDoesNotIdleOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		goOn := make(chan struct{})
		w.h.created = func(a gateway.ConnectionAdapter) error {
			defer a.Hold(func() {})()
			<-goOn
			return nil
		}
		<-w.lis.serving
		go func() {
			s := newSocket(-1)
			if c, err := w.lis.attach(s); err == nil {
				s.serve(c)
			}
		}()
		time.Sleep(time.Minute)
		close(goOn)
		w.after(t, 29*time.Second, "created")
		w.stop(t)
	})
}
