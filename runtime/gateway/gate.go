package gateway

// gate says whether the socket may be read. Guarded by Conn.mu.
type gate struct {
	paused bool          // by the handler
	calls  int           // upstream calls under way
	window int           // publishes among them
	bytes  int           // their payloads
	wait   chan struct{} // made by a reader that waits, closed to wake it
}

func (g *gate) shut(l *Limits) bool {
	return g.paused || g.window >= l.PublishWindow || g.bytes >= l.PublishWindowBytes
}

// open wakes the reader.
func (g *gate) open() {
	if g.wait != nil {
		close(g.wait)
		g.wait = nil
	}
}

// WaitReadable blocks while the handler paused the connection or too many publishes are under way. It returns [ErrClosed] once the
// connection has ended.
func (c *Conn) WaitReadable() error {
	c.mu.Lock()
	for !c.closing.Load() && c.gate.shut(c.limits) {
		if c.gate.wait == nil {
			c.gate.wait = make(chan struct{})
		}
		wait := c.gate.wait
		c.mu.Unlock()
		<-wait
		c.mu.Lock()
	}
	c.mu.Unlock()
	if c.closing.Load() {
		return ErrClosed
	}
	return nil
}

// Readable reports whether WaitReadable would return at once. Datagram listeners drop and count what comes while it is false.
func (c *Conn) Readable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing.Load() || !c.gate.shut(c.limits)
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

// reopen wakes the reader if nothing holds it any longer; the caller holds mu.
func (c *Conn) reopen() {
	if !c.gate.shut(c.limits) {
		c.timers.touch(c.gw.now()) // the device could not be heard while nobody read
		c.gate.open()
	}
}
