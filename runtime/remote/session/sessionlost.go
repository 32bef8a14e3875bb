package session

import (
	"context"
	"time"

	"github.com/exgate/exgate/runtime/remote/target"
)

// What becomes of connections whose backend has no stream, by OnFailure. With close they end at once. With retry those end of which the handler
// may have begun an event, since that would go out again. All others end when an event of theirs waited for too long. Ends of connections wait for any
// backend in each case.

// mustClose reports whether the connection need not wait for a stream; the caller holds mu.
func (c *conn) mustClose(now time.Duration) bool {
	s, l := c.session, c.line
	switch {
	case l.live != nil || l.err == nil || c.ended || c.err != nil:
		return false
	case s.closed || l.refuses() || s.onFailure == target.OnFailureRetry && c.unacked:
		return true
	}
	return c.waitingSince != 0 && now-c.waitingSince > s.patience
}

// expire closes the connections that need not wait for a stream, and forgets ends that are old.
func (l *line) expire() {
	s := l.session
	s.mu.Lock()
	if l.live != nil {
		s.mu.Unlock()
		return
	}
	var lost []*conn
	now := s.now()
	for _, c := range l.conns() {
		switch {
		case c.mustClose(now):
			lost = append(lost, c)
		case c.ended && now-c.waitingSince > target.MaxPendingCloseAge:
			c.forget(target.UndeliveredOld)
		}
	}
	why := l.err
	s.mu.Unlock()
	if len(lost) > 0 {
		s.fail(lost, l.to, unavailable(why))
	}
}

// moveConns looks for other backends where the line has none. A line that is over goes with its last connection.
func (l *line) moveConns() {
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
	if l.ended && left == 0 {
		delete(s.lines, l.to)
	}
}

// move gives the connection another backend that is connected, if its own has been lost for long enough.
func (c *conn) move() bool {
	s := c.session
	if c.err != nil && !c.ended || !c.ended && s.onFailure != target.OnFailureHold || !c.pin.Ready(target.MoveAfter) {
		return false
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	to, err := c.pin.Backend(ended)
	if err != nil || to == c.line.to {
		return false
	}
	c.line = s.line(to, c)
	c.startedAt = s.now()
	c.countHeld()
	c.line.schedule(c)
	return true
}

// countHeld counts the connection among those whose events wait for a stream, or no longer; the caller holds mu.
func (c *conn) countHeld() {
	held := c.line.live == nil && !c.ended && c.err == nil && c.window.Len() > 0
	if held == c.isHeld {
		return
	}
	c.isHeld = held
	if held {
		c.session.metrics.held.Inc()
	} else {
		c.session.metrics.held.Dec()
	}
}

// forget gives the end of a connection up; the caller holds mu.
func (c *conn) forget(why string) {
	c.session.metrics.countUndelivered(why, 1)
	c.drop()
}
