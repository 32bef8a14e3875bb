package gateway

import "time"

// gate says whether the socket may be read. Guarded by Conn.mu.
type gate struct {
	paused bool          // by the handler
	calls  int           // upstream calls under way
	window int           // publishes among them
	bytes  int           // their payloads
	until  time.Duration // a rate keeps it shut until then, on Gateway.now's clock
	why    string        // the rate
	wait   chan struct{} // made by a reader that waits, closed to wake it
	wake   func()        // of WhenReadable
}

// hold keeps the gate shut for d from now on, because of a rate.
func (g *gate) hold(why string, d, now time.Duration) {
	if d > 0 && now+d > g.until {
		g.until, g.why = now+d, why
	}
}

// full reports whether something other than a rate keeps the gate shut, and what.
func (g *gate) full(l *Limits) (why string, full bool) {
	switch {
	case g.paused:
		return pauseHandler, true
	case g.window >= l.PublishWindow || g.bytes >= l.PublishWindowBytes:
		return pauseUpstream, true
	}
	return "", false
}

func (g *gate) shut(l *Limits, now time.Duration) bool {
	_, full := g.full(l)
	return full || (g.until > 0 && g.until > now)
}

// open wakes the reader.
func (g *gate) open() {
	if g.wait != nil {
		close(g.wait)
		g.wait = nil
	}
	if g.wake != nil {
		go g.wake()
		g.wake = nil
	}
}

// WaitReadable blocks while the handler paused the connection, too many publishes are under way, or a rate is exceeded. It returns [ErrClosed]
// once the connection has ended.
func (c *Conn) WaitReadable() error {
	for paused := ""; ; {
		wait, timer, why := c.gateWait()
		if wait == nil {
			break
		}
		if why != paused {
			c.metrics.paused(why)
			paused = why
		}
		await(wait, timer)
	}
	if c.closing.Load() {
		return ErrClosed
	}
	return nil
}

// await waits for wait or, where there is one, the timer.
func await(wait <-chan struct{}, d time.Duration) {
	if d == 0 {
		<-wait
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-wait:
	case <-timer.C:
	}
}

// gateWait returns what the reader has to wait for and why, or nil. With a duration, the gate opens by itself after it.
func (c *Conn) gateWait() (wait chan struct{}, d time.Duration, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() {
		return nil, 0, ""
	}
	why, full := c.gate.full(c.limits)
	if !full {
		if c.gate.until == 0 {
			return nil, 0, ""
		}
		if d = c.gate.until - c.gw.now(); d <= 0 {
			c.timers.touch(c.gw.now())
			c.gate.until = 0
			return nil, 0, ""
		}
		why = c.gate.why
	}
	if c.gate.wait == nil {
		c.gate.wait = make(chan struct{})
	}
	return c.gate.wait, d, why
}

// OverRate reports whether the connection has received more than a rate allows. Datagrams cannot be held back: their listeners drop and count
// what comes meanwhile.
func (c *Conn) OverRate() bool {
	if c.rates == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closing.Load() && c.gate.until > c.gw.now()
}

// WhenReadable reports whether the handler and the upstream take more; once the connection has ended, it is true. Otherwise it calls wake once, on a
// goroutine of its own, when they do. A later call replaces wake. It is WaitReadable for listeners without a goroutine for each connection.
func (c *Conn) WhenReadable(wake func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	why, full := c.gate.full(c.limits)
	if c.closing.Load() || !full {
		return true
	}
	if c.gate.wake == nil {
		c.metrics.paused(why)
	}
	c.gate.wake = wake
	return false
}

// Pause stops the reading of the socket until Resume.
func (c *Conn) Pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gate.paused = true
}

// Resume ends Pause.
func (c *Conn) Resume() Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() {
		return resultNotAlive
	}
	c.gate.paused = false
	c.reopen()
	return OK
}

// reopen wakes the reader if nothing but a rate holds it any longer; the caller holds mu.
func (c *Conn) reopen() {
	if _, full := c.gate.full(c.limits); !full && (c.gate.wait != nil || c.gate.wake != nil) {
		c.timers.touch(c.gw.now()) // the device could not be heard while nobody read
		c.gate.open()
	}
}
