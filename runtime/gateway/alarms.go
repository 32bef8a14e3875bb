package gateway

import "time"

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
