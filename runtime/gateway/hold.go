package gateway

import "time"

// Holder is met by adapters that take part where an event waits until its handler can take it. [Conn] is one.
type Holder interface {
	// Hold says that the event under way waits. Until release is called, the silence of the device, whose socket nobody reads, does not count
	// against it, and the connection ends once the next read would find that the device has gone. interrupt is called at most once, on
	// any goroutine, when the connection begins to close for whatever reason; it must not block. Where Hold returns nil, the connection is
	// closing already or the gateway stops: the event must not wait. Only the goroutine that runs the event may call it, and once until release.
	Hold(interrupt func()) (release func())
}

// Peeker is met by transports that can tell what the next read would find without reading.
type Peeker interface {
	// Peek returns nil where the next read would find bytes or nothing yet, and its error otherwise, io.EOF where the peer has closed. It never
	// waits. It is called while the goroutine that reads the transport is in [Conn.Receive].
	Peek() error
}

var _ Holder = (*Conn)(nil)

// peekInterval is how often the socket of a held connection is looked at.
const peekInterval = time.Second

// hold is an event that waits for its handler.
type hold struct {
	interrupt func()
	peek      *time.Timer // nil where the transport cannot tell, or the reading goroutine will
}

func (h *hold) stop() {
	if h.peek != nil {
		h.peek.Stop()
	}
}

// Hold says that the event under way waits.
func (c *Conn) Hold(interrupt func()) (release func()) {
	c.mu.Lock()
	leaving := c.inbox.leaving
	if c.closing.Load() || leaving {
		c.mu.Unlock()
		if leaving {
			c.Close(ReasonShutdown)
		}
		return nil
	}
	defer c.mu.Unlock()
	h := &hold{interrupt: interrupt}
	if p, ok := c.transport.(Peeker); ok && c.inbox.reading {
		h.peek = time.AfterFunc(peekInterval, func() { c.peek(h, p) })
	}
	c.held = h
	return func() { c.release(h) }
}

// release ends h, unless Close has.
func (c *Conn) release(h *hold) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h.stop()
	if c.held == h {
		c.held = nil
		c.restartTimers() // the device could not be heard
	}
}

// peek closes a held connection that nobody is at the other end of any longer.
func (c *Conn) peek(h *hold, p Peeker) {
	c.mu.Lock()
	held := c.held == h
	c.mu.Unlock()
	if !held {
		return
	}
	if err := p.Peek(); err != nil {
		c.Close(c.socketReason(err))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == h {
		h.peek.Reset(peekInterval)
	}
}

// interrupted ends the hold of a closing connection and returns what to call without mu; the caller holds mu.
func (c *Conn) interrupted() func() {
	if c.held == nil {
		return nil
	}
	h := c.held
	c.held = nil
	h.stop()
	return h.interrupt
}
