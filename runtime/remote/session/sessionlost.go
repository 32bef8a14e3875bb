package session

import (
	"context"
	"time"

	"github.com/exgate/exgate/runtime/remote/target"
)

// What becomes of connections whose backend has no stream, by OnFailure. With close they end at once. With retry those end of which the handler
// may have begun an event, since that would go out again. All others end when an event of theirs waited for too long. Ends of connections wait for any
// backend in each case.

// hopeless reports whether the connection need not wait for a stream; the caller holds mu.
func (c *sessionConn) hopeless(now time.Duration) bool {
	s, l := c.session, c.line
	switch {
	case l.live != nil || l.why == nil || c.ended || c.err != nil:
		return false
	case s.closed || l.refuses() || s.policy == target.OnFailureRetry && c.unsure:
		return true
	}
	return c.stuck != 0 && now-c.stuck > s.patience
}

// expire closes the connections that need not wait for a stream, and forgets ends that are old.
func (l *sessionLine) expire() {
	s := l.session
	s.mu.Lock()
	if l.live != nil {
		s.mu.Unlock()
		return
	}
	var lost []*sessionConn
	now := s.now()
	for _, c := range l.conns() {
		switch {
		case c.hopeless(now):
			lost = append(lost, c)
		case c.ended && now-c.stuck > target.MaxPendingCloseAge:
			c.forget(target.UndeliveredOld)
		}
	}
	why := l.why
	s.mu.Unlock()
	if len(lost) > 0 {
		s.fail(lost, l.to, unavailable(why))
	}
}

// leaveLine looks for other backends where the line has none. A line that is over goes with its last connection.
func (l *sessionLine) leaveLine() {
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.live != nil {
		return
	}
	left := 0
	for _, c := range l.conns() {
		if !c.move() {
			left++
		}
	}
	if l.over && left == 0 {
		delete(s.lines, l.to)
	}
}

// move gives the connection another backend that is connected, if its own has been lost for long enough.
func (c *sessionConn) move() bool {
	s := c.session
	if c.err != nil && !c.ended || !c.ended && s.policy != target.OnFailureHold || !c.pin.Ready(target.MoveAfter) {
		return false
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	to, err := c.pin.Backend(ended)
	if err != nil || to == c.line.to {
		return false
	}
	c.line = s.line(to, c)
	c.since = s.now()
	c.noteHeld()
	c.line.schedule(c)
	return true
}

// noteHeld counts the connection among those whose events wait for a stream, or no longer; the caller holds mu.
func (c *sessionConn) noteHeld() {
	held := c.line.live == nil && !c.ended && c.err == nil && c.window.Len() > 0
	if held == c.held {
		return
	}
	c.held = held
	if held {
		c.session.metrics.held.Inc()
	} else {
		c.session.metrics.held.Dec()
	}
}

// forget gives the end of a connection up; the caller holds mu.
func (c *sessionConn) forget(why string) {
	c.session.metrics.neverTold(why, 1)
	c.drop()
}
