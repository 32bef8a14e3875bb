package gateway

import (
	"sync/atomic"
	"time"
)

// timers holds the one timer of a connection: the idle timeout until the first byte, the keepalive after StartTimer.
// Guarded by Conn.mu, except for heard.
type timers struct {
	timer     *time.Timer
	keepalive time.Duration // the interval of StartTimer
	mode      atomic.Uint32 // written under mu
	heard     atomic.Int64  // when bytes last came, on Gateway.now's clock
}

// What the timer is for.
const (
	timerOff uint32 = iota
	timerIdle
	timerKeepalive
)

func (t *timers) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

func (t *timers) touch(now time.Duration) { t.heard.Store(int64(now)) }

// armIdleTimer starts the idle timeout.
func (c *Conn) armIdleTimer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() || c.timers.mode.Load() != timerOff {
		return
	}
	c.timers.touch(c.gw.now())
	c.timers.mode.Store(timerIdle)
	c.timers.timer = time.AfterFunc(c.limits.IdleTimeout, c.timerFired)
}

// touch records that bytes came from the device.
func (c *Conn) touch() {
	switch c.timers.mode.Load() {
	case timerKeepalive:
		c.timers.touch(c.gw.now())
	case timerIdle:
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.timers.mode.CompareAndSwap(timerIdle, timerOff) {
			c.timers.stop()
			c.timers.timer = nil
		}
	}
}

// KeepaliveStarted reports whether the handler has called StartTimer. A datagram listener ends other peers after the
// idle timeout.
func (c *Conn) KeepaliveStarted() bool { return c.timers.mode.Load() == timerKeepalive }

// IdleTimeout is how long a device may be silent before its first byte, and a datagram peer without keepalive at
// any time.
func (c *Conn) IdleTimeout() time.Duration { return c.limits.IdleTimeout }

// StartTimer starts or replaces the keepalive timer.
func (c *Conn) StartTimer(t TimerType, seconds uint32) Result {
	if t != TimerKeepalive {
		return Refuse(CodeParamsTypeError, "timer type %d: only KEEPALIVE (0) is supported", t)
	}
	if seconds == 0 {
		return Refuse(CodeParamsTypeError, "timer interval must be at least 1 second")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() {
		return resultNotAlive
	}
	c.timers.stop()
	c.timers.keepalive = time.Duration(seconds) * time.Second
	c.timers.touch(c.gw.now())
	c.timers.mode.Store(timerKeepalive)
	c.timers.timer = time.AfterFunc(c.timers.keepalive, c.timerFired)
	return OK
}

// timerFired runs on the timer's goroutine.
func (c *Conn) timerFired() {
	c.mu.Lock()
	mode := c.timers.mode.Load()
	if c.held != nil || c.closing.Load() || mode == timerOff || c.rearm() {
		c.mu.Unlock() // releasing a held event restarts the timer
		return
	}
	if mode == timerKeepalive {
		c.enqueue(event{kind: eventTimer})
	}
	c.mu.Unlock()
	if mode == timerIdle {
		c.Close(ReasonIdleTimeout)
	}
}

// restartTimers restarts all timers of the connection; the caller holds mu.
func (c *Conn) restartTimers() {
	c.timers.touch(c.gw.now())
	if c.timers.mode.Load() != timerOff {
		c.timers.timer.Reset(c.timers.interval(c.limits))
	}
	if c.login.deadline != nil {
		c.login.deadline.Reset(c.limits.AuthDeadline)
	}
}

// interval is the silence that the timer measures.
func (t *timers) interval(l *Limits) time.Duration {
	if t.mode.Load() == timerIdle {
		return l.IdleTimeout
	}
	return t.keepalive
}

// rearm restarts the timer, and reports so, if bytes came since or the socket was not read; the caller holds mu. A
// device is not silent while its socket is not read: the handler paused it, the upstream is full, a rate holds it
// back, or the handler is still busy with the last read.
func (c *Conn) rearm() bool {
	now, left := c.gw.now(), c.timers.interval(c.limits)
	if !c.inbox.busy && !c.gate.shut(c.limits, now) {
		left -= now - max(time.Duration(c.timers.heard.Load()), c.gate.until)
	}
	if left <= 0 {
		return false
	}
	c.timers.timer.Reset(left)
	return true
}

// timerEvent calls OnTimerTimeout for a keepalive that ran out, and closes the connection once what the handler sends
// is written.
func (c *Conn) timerEvent() {
	c.mu.Lock()
	heard := c.rearm()
	c.mu.Unlock()
	if heard {
		return
	}
	c.dispatch("timer", func() error { return c.handler.OnTimerTimeout(TimerKeepalive) })
	c.Close(ReasonKeepaliveTimeout)
}

const (
	// MaxTimers is the number of timers that SetTimer can set in one connection: their ids are 0 to MaxTimers - 1.
	MaxTimers = 16
	// MinTimerMillis is the shortest time of SetTimer, in milliseconds. It bounds the alarms of one connection to 1,600
	// per second.
	MinTimerMillis = 10
)

// alarms holds the timers of SetTimer. Guarded by Conn.mu.
type alarms [MaxTimers]alarm

type alarm struct {
	timer  *time.Timer // nil if it was never set
	set    uint32      // counts SetTimer: a timer that fires while it is being replaced is ignored
	due    bool        // it has fired, and OnAlarm has not been called yet
	queued bool        // its event is in the inbox: there is at most one
}

// disarm cancels the timer.
func (a *alarm) disarm() {
	if a.timer != nil {
		a.timer.Stop()
	}
	a.set++
	a.due = false
}

// stop cancels all timers.
func (a *alarms) stop() {
	if a == nil {
		return
	}
	for i := range a {
		a[i].disarm()
	}
}

// SetTimer sets, replaces or cancels a timer that calls OnAlarm.
func (c *Conn) SetTimer(id uint32, ms int32) Result {
	if id >= MaxTimers {
		return Refuse(CodeParamsTypeError, "timer id %d: ids are 0 to %d", id, MaxTimers-1)
	}
	if ms >= 0 && ms < MinTimerMillis {
		return Refuse(CodeParamsTypeError, "timer of %d ms: the shortest is %d ms", ms, MinTimerMillis)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() {
		return resultNotAlive
	}
	if c.alarms == nil {
		if ms < 0 {
			return OK
		}
		c.alarms = new(alarms)
	}
	a := &c.alarms[id]
	a.disarm()
	if ms >= 0 {
		set := a.set
		a.timer = time.AfterFunc(time.Duration(ms)*time.Millisecond, func() { c.alarmFired(uint8(id), set) })
	}
	return OK
}

// alarmFired runs on the timer's goroutine.
func (c *Conn) alarmFired(id uint8, set uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &c.alarms[id]
	if a.set != set {
		return
	}
	a.due = true
	if !a.queued {
		a.queued = c.enqueue(event{kind: eventAlarm, alarm: id})
	}
}

// alarmEvent calls OnAlarm, unless the timer was set again or cancelled since it fired.
func (c *Conn) alarmEvent(id uint8) {
	c.mu.Lock()
	a := &c.alarms[id]
	due := a.due
	a.due, a.queued = false, false
	c.mu.Unlock()
	if h, ok := c.handler.(AlarmHandler); ok && due {
		c.dispatch("alarm", func() error { return h.OnAlarm(uint32(id)) })
	}
}
