package gateway_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

func TestAlarmFiresOnceAndClosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		s := newSocket(-1)
		c := w.lis.open(t, s)
		s.in <- []byte("x") // ends the idle timeout
		synctest.Wait()
		c.SetTimer(15, 250)
		c.SetTimer(0, 1000)
		w.after(t, 250*time.Millisecond-1, "created\nbytes x")
		w.after(t, 1, "created\nbytes x\nalarm 15")
		w.after(t, time.Hour, "created\nbytes x\nalarm 15\nalarm 0")
		w.stop(t)
	})
}

func TestAlarmIsReplacedAndCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{IdleTimeout: time.Hour}, "")
		c := w.lis.open(t, newSocket(-1))
		c.SetTimer(1, 100)
		c.SetTimer(2, 100)
		time.Sleep(99 * time.Millisecond)
		c.SetTimer(1, 100)
		c.SetTimer(2, -1)
		w.after(t, 99*time.Millisecond, "created")
		w.after(t, time.Millisecond, "created\nalarm 1")
		w.after(t, time.Minute, "created\nalarm 1")
		w.stop(t)
	})
}

// A polling handler sets its timer again in each alarm.
func TestAlarmSetsItsOwnTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{IdleTimeout: time.Hour}, "")
		w.h.alarm = func(a gateway.ConnectionAdapter, id uint32) error {
			a.SetTimer(id, 10)
			return nil
		}
		c := w.lis.open(t, newSocket(-1))
		c.SetTimer(0, 10)
		w.after(t, 30*time.Millisecond, "created\nalarm 0\nalarm 0\nalarm 0")
		w.stop(t)
	})
}

func TestSetTimerRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{IdleTimeout: time.Hour}, "")
		c := w.lis.open(t, newSocket(-1))
		for _, bad := range []struct {
			id uint32
			ms int32
		}{{16, 10}, {math.MaxUint32, 10}, {16, -1}, {0, 0}, {0, 9}} {
			if r := c.SetTimer(bad.id, bad.ms); r.Code != gateway.CodeParamsTypeError || r.Message == "" {
				t.Errorf("SetTimer(%d, %d) = %v", bad.id, bad.ms, r)
			}
		}
		for _, good := range []int32{-1, math.MinInt32, math.MaxInt32, 10} {
			if r := c.SetTimer(15, good); !r.Ok() {
				t.Errorf("SetTimer(15, %d) = %v", good, r)
			}
		}
		c.Close(gateway.ReasonNormal)
		if r := c.SetTimer(0, 10); r.Code != gateway.CodeConnProcessNotAlive {
			t.Errorf("SetTimer after Close = %v", r)
		}
		w.after(t, time.Minute, "created\nclosed normal") // the timer ended with its connection
		w.stop(t)
	})
}

// An alarm waits for the running event; if that cancels the timer, the alarm that waits is not delivered.
func TestAlarmWaitsForTheEventUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		s := newSocket(-1)
		w.h.bytes = func(a gateway.ConnectionAdapter, _ []byte) error {
			a.SetTimer(3, 10)
			a.SetTimer(4, 10)
			a.SetTimer(5, 10)
			time.Sleep(time.Second)
			a.SetTimer(4, -1)
			a.SetTimer(5, 500)
			return nil
		}
		w.lis.open(t, s)
		s.in <- []byte("x")
		w.after(t, time.Second, "created\nbytes x\nalarm 3")
		w.after(t, time.Second, "created\nbytes x\nalarm 3\nalarm 5")
		w.stop(t)
	})
}

// However often timers fire while the handler is busy, at most one alarm of each waits: the inbox stays bounded.
func TestAlarmStormIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		s := newSocket(-1)
		w.h.bytes = func(gateway.ConnectionAdapter, []byte) error {
			time.Sleep(10 * time.Second)
			return nil
		}
		c := w.lis.open(t, s)
		s.in <- []byte("x")
		synctest.Wait()
		for range 100 {
			for id := range uint32(gateway.MaxTimers) {
				c.SetTimer(id, gateway.MinTimerMillis)
			}
			time.Sleep(gateway.MinTimerMillis * time.Millisecond)
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		got := w.h.String()
		for id := range gateway.MaxTimers {
			if n := strings.Count(got+"\n", fmt.Sprintf("alarm %d\n", id)); n != 1 {
				t.Errorf("timer %d had %d alarms", id, n)
			}
		}
		w.stop(t)
	})
}

// Timers hold back neither the end of a connection nor that of the gateway.
func TestAlarmsEndWithTheGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{IdleTimeout: time.Hour}, "")
		c := w.lis.open(t, newSocket(-1))
		for id := range uint32(gateway.MaxTimers) {
			c.SetTimer(id, 60_000)
		}
		w.stop(t)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := w.h.String(); strings.Contains(got, "alarm") {
			t.Errorf("events %q", got)
		}
	})
}

// A keepalive and timers do not influence each other.
func TestAlarmIsNoSignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFixture(t, gateway.Limits{}, "")
		w.h.alarm = func(a gateway.ConnectionAdapter, id uint32) error {
			a.SetTimer(id, 4000)
			return nil
		}
		c := w.lis.open(t, newSocket(-1))
		c.StartTimer(gateway.TimerKeepalive, 10)
		c.SetTimer(7, 4000)
		w.after(t, time.Minute, "created\nalarm 7\nalarm 7\ntimer\nclosed keepalive_timeout")
		w.stop(t)
	})
}
