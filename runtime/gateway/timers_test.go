package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

func TestIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		w.lis.open(t, newSocket(-1))
		w.after(t, 30*time.Second-1, "created")
		w.after(t, time.Nanosecond, "created\nclosed idle_timeout")
		w.stop(t)
	})
}

func TestFirstByteEndsTheIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		s := newSocket(-1)
		w.lis.open(t, s)
		time.Sleep(29 * time.Second)
		s.in <- []byte("x")
		w.after(t, time.Hour, "created\nbytes x")
		w.stop(t)
	})
}

// What the handler sends at the timeout is sent, then the connection closes, once.
func TestKeepaliveTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		w.h.bytes = func(a gateway.ConnectionAdapter, _ []byte) error {
			a.StartTimer(gateway.TimerKeepalive, 10)
			return nil
		}
		w.h.timer = func(a gateway.ConnectionAdapter) error {
			a.Send([]byte("bye"))
			return nil
		}
		s := newSocket(-1)
		w.lis.open(t, s)
		s.in <- []byte("x")
		w.after(t, 10*time.Second-1, "created\nbytes x")
		w.after(t, time.Nanosecond, "created\nbytes x\ntimer\nclosed keepalive_timeout")
		equal(t, "written", s.written(), "bye")
		w.stop(t)
	})
}

// A handler that closes by itself at the timeout is closed for its own reason.
func TestKeepaliveTimeoutWithClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		w.h.timer = func(a gateway.ConnectionAdapter) error { a.Close(gateway.ReasonNormal); return nil }
		c := w.lis.open(t, newSocket(-1))
		c.StartTimer(gateway.TimerKeepalive, 5)
		w.after(t, 5*time.Second, "created\ntimer\nclosed normal")
		w.stop(t)
	})
}

func TestBytesPutTheKeepaliveOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		s := newSocket(-1)
		c := w.lis.open(t, s)
		c.StartTimer(gateway.TimerKeepalive, 10)
		for range 5 {
			time.Sleep(9 * time.Second)
			s.in <- []byte("x")
		}
		synctest.Wait()
		equal(t, "events", w.h.String(), "created\nbytes x\nbytes x\nbytes x\nbytes x\nbytes x")
		w.after(t, 10*time.Second,
			"created\nbytes x\nbytes x\nbytes x\nbytes x\nbytes x\ntimer\nclosed keepalive_timeout")
		w.stop(t)
	})
}

func TestStartTimerReplacesTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		c := w.lis.open(t, newSocket(-1))
		c.StartTimer(gateway.TimerKeepalive, 5)
		time.Sleep(4 * time.Second)
		c.StartTimer(gateway.TimerKeepalive, 60)
		w.after(t, 59*time.Second, "created")
		w.after(t, time.Second, "created\ntimer\nclosed keepalive_timeout")
		w.stop(t)
	})
}

// A device is not silent while its socket is not read.
func TestPausedConnectionIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		c := w.lis.open(t, newSocket(-1))
		c.StartTimer(gateway.TimerKeepalive, 10)
		c.Pause()
		w.after(t, time.Minute, "created")
		c.Resume()
		w.after(t, 20*time.Second, "created\ntimer\nclosed keepalive_timeout")
		w.stop(t)
	})
}

func TestStartTimerRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		c := w.lis.open(t, newSocket(-1))
		if r := c.StartTimer(gateway.TimerKeepalive, 0); r.Code != gateway.CodeParamsTypeError {
			t.Errorf("interval 0: %v", r)
		}
		if r := c.StartTimer(7, 1); r.Code != gateway.CodeParamsTypeError {
			t.Errorf("type 7: %v", r)
		}
		c.Close(gateway.ReasonNormal)
		if r := c.StartTimer(gateway.TimerKeepalive, 1); r.Code != gateway.CodeConnProcessNotAlive {
			t.Errorf("closed: %v", r)
		}
		w.stop(t)
	})
}

// While this side does not read, a device is not silent: neither before its first byte (idle timeout) nor later
// (keepalive), and whatever stops the reading.
func TestSilenceCountsOnlyWhileTheSocketIsRead(t *testing.T) {
	for _, keepalive := range []bool{false, true} {
		for name, stop := range map[string]func(w *fixture, c *gateway.Conn, s *socket) (resume func()){
			"paused by the handler": func(_ *fixture, c *gateway.Conn,
				_ *socket,
			) func() {
				c.Pause()
				return func() { c.Resume() }
			},
			"the upstream is full": func(w *fixture, c *gateway.Conn, _ *socket) func() {
				w.up.hold = true
				c.Publish("t", 1, nil, nil)
				return func() { w.up.release(1) }
			},
			"the handler is busy": func(w *fixture, _ *gateway.Conn, s *socket) func() {
				gate := make(chan struct{})
				w.h.bytes = func(gateway.ConnectionAdapter, []byte) error { <-gate; return nil }
				s.in <- []byte("x")
				return func() { close(gate) }
			},
		} {
			if name == "the handler is busy" && !keepalive {
				continue // its first byte has come
			}
			t.Run(fmt.Sprint(name, ", keepalive ", keepalive), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newFixture(t, gateway.Limits{IdleTimeout: 10 * time.Second, PublishWindow: 1}, "")
					s := newSocket(-1)
					c := w.lis.open(t, s)
					login(t, c, "d")
					reason := "idle_timeout"
					if keepalive {
						c.StartTimer(gateway.TimerKeepalive, 10)
						reason = "keepalive_timeout"
					}
					time.Sleep(9 * time.Second)
					resume := stop(w, c, s)
					time.Sleep(95 * time.Second)
					synctest.Wait()
					if got := w.h.String(); strings.Contains(got, "closed") {
						t.Fatalf("closed while nobody read: %s", got)
					}
					resume()
					time.Sleep(20 * time.Second)
					synctest.Wait()
					if got := w.h.String(); !strings.HasSuffix(got, "closed "+reason) {
						t.Errorf("a silent device afterwards: %s", got)
					}
					w.stop(t)
				})
			})
		}
	}
}

// After a pause for a rate, a device has its whole timeout again.
func TestSilenceDoesNotCountUnderARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{BytesPerSecond: 100, BytesBurst: 1}, "")
		s := newSocket(-1)
		c := w.lis.open(t, s)
		c.StartTimer(gateway.TimerKeepalive, 10)
		for range 3 {
			s.in <- make([]byte, 990) // holds the socket for 9.9 s
			time.Sleep(9900*time.Millisecond + 5*time.Second)
			synctest.Wait()
			if got := w.h.String(); strings.Contains(got, "closed") {
				t.Fatalf("closed %q", got)
			}
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if got := w.h.String(); !strings.HasSuffix(got, "closed keepalive_timeout") {
			t.Errorf("silent: %.50q", got)
		}
		w.stop(t)
	})
}
