package session

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/convert"
	"github.com/exgate/exgate/runtime/remote/target"
)

// A stream that ends makes suspects of the connections with events that were sent and not acknowledged. On the next stream they go behind the
// other connections. From the second such end on they go alone, one at a time: the others wait until what they sent is acknowledged, and then for the
// suspect. A suspect that went alone when streams ended closes. An acknowledgement clears the connection.
const (
	endsUntilAlone  = 2
	endsUntilGuilty = 6 // a handler that restarts five times while the same event is under way costs no device its connection
	aloneIfGuilty   = 2 // of these ends, at least

	trialPatience = 2 * time.Second // for what was sent before, and for the suspect's acknowledgement
	// quietPatience is for how long a suspect goes alone that has nothing which is acknowledged: only a Created of before.
	quietPatience = 100 * time.Millisecond

	usefulRetry = 400 * time.Millisecond // the longest pause after a stream on which events were acknowledged

	givenUpEndedStreams = "ended_streams"
)

// suspicion is what ends of streams say about one connection.
type suspicion struct {
	ends     int  // of streams since its last acknowledgement
	alone    int  // how many of these found it alone on the stream
	cleared  bool // the handler has acknowledged an event of it
	inFlight bool // counted in line.out
	excused  bool // it was tried for long enough: on this stream it goes with the others
}

// trial has one suspect go alone.
type trial struct {
	conn *conn
	sent bool
}

// suspect reports whether the connection must go alone.
func (c *conn) suspect() bool { return c.ends >= endsUntilAlone && !c.excused }

// hasUnacknowledged reports whether the handler has something of the connection that it did not acknowledge.
func (c *conn) hasUnacknowledged() bool {
	return c.window.Sent() || c.announced && !c.reannounce && !c.cleared
}

// noteStreamEnd notes that a stream ended, and reports whether the connection is guilty of that.
func (c *conn) noteStreamEnd() bool {
	if !c.hasUnacknowledged() {
		return false
	}
	c.ends++
	if t := c.line.trial; t != nil && t.conn == c && t.sent {
		c.alone++
	}
	return c.ends >= endsUntilGuilty && c.alone >= aloneIfGuilty
}

// countSent counts the connection among those with events under way.
func (c *conn) countSent() {
	if !c.inFlight && c.window.Sent() {
		c.inFlight = true
		c.line.inFlight++
	}
}

// clearSuspicion takes an acknowledgement.
func (c *conn) clearSuspicion() {
	c.ends, c.alone, c.cleared = 0, 0, true
	l := c.line
	l.progressed = true
	if c.inFlight && !c.window.Sent() {
		c.inFlight = false
		l.inFlight--
		if l.trial != nil && l.live != nil {
			l.live.wake()
		}
	}
	l.endTrial(c)
}

// bySuspicion sorts connections so that those go first of which less is known.
func bySuspicion(conns []*conn) {
	slices.SortStableFunc(conns, func(a, b *conn) int { return a.ends - b.ends })
}

// tryAlone begins a trial if a suspect waits and each other connection had its turn since the last trial.
func (l *line) tryAlone() {
	if l.trial != nil || len(l.suspects) == 0 || len(l.ready) > 0 && l.turns > 0 {
		return
	}
	c := l.suspects[0]
	l.suspects = l.suspects[1:]
	c.queued = false
	l.trial = &trial{conn: c}
	l.limitTrial(min(l.session.timeout/4, trialPatience))
	l.live.wake()
}

// limitTrial ends the trial under way after a time.
func (l *line) limitTrial(patience time.Duration) {
	t := l.trial
	time.AfterFunc(patience, func() {
		l.session.mu.Lock()
		defer l.session.mu.Unlock()
		if l.trial == t {
			t.conn.excused = true
			l.endTrial(t.conn)
		}
	})
}

// fillAlone appends what the suspect has to say, once nothing of the others is under way.
func (l *line) fillAlone(frame []byte, full int) []byte {
	t := l.trial
	c := t.conn
	switch {
	case t.sent || l.inFlight > 0 && !c.inFlight:
		return frame
	case !c.hasOutput():
		l.endTrial(c)
		return frame
	}
	frame = c.take(frame, full)
	if t.sent = c.inFlight || !c.hasOutput(); t.sent { // else its event needs a frame of its own
		c.startedAt = l.session.now()
		if !c.inFlight {
			l.limitTrial(min(l.session.timeout/4, quietPatience))
		}
	}
	return frame
}

// endTrial lets the others go on if c is on trial.
func (l *line) endTrial(c *conn) {
	if l.trial == nil || l.trial.conn != c {
		return
	}
	l.trial, l.turns = nil, len(l.ready)
	now := l.session.now()
	for _, waited := range l.ready {
		if !waited.window.Sent() {
			waited.startedAt = now
		}
	}
	l.schedule(c)
	l.live.wake()
}

// closeGuilty closes connections whose events end the stream. The handler hears no more of those that it never acknowledged anything of.
func (l *line) closeGuilty(guilty []*conn, why error) {
	s := l.session
	for _, c := range guilty {
		s.mu.Lock()
		err := &gateway.HandlerError{Reason: gateway.ReasonHandlerStreamEnded, Err: &target.Error{
			What: fmt.Sprintf("Session of handler %q at %s", s.target.Name, l.to.Addr()), Code: codes.Aborted,
			Text: fmt.Sprintf("the stream ended %d times at events of this connection, %d times with no others under way; the last time: %s",
				c.ends, c.alone, convert.Shorten(statusText(why))),
		}}
		ended, failed := c.ended, c.err != nil
		switch {
		case ended:
			c.forget(givenUpEndedStreams)
		case !failed:
			c.announced = c.announced && c.cleared
			c.reannounce = c.reannounce && c.announced
			c.fail(err)
		}
		s.mu.Unlock()
		s.metrics.guilty(err.Reason)
		s.logGuilty(c, err)
		if !ended && !failed {
			c.conn.Close(gateway.ReasonOf(err))
		}
	}
}

func (s *Session) logGuilty(c *conn, err error) {
	suppressed, ok := s.guiltyLog.Allow(time.Now())
	if !ok {
		return
	}
	attributes := []any{"conn", c.id, "peer", c.info.Peer, "error", err, "check", "the handler's log, and what this device sent", "suppressed", suppressed}
	if known, ok := c.conn.(interface {
		Listener() string
		Client() (gateway.ClientInfo, bool)
	}); ok {
		client, _ := known.Client()
		attributes = append(attributes, slog.String("listener", known.Listener()), slog.String("client_id", convert.Shorten(client.ClientID)))
	}
	s.target.Log.Warn("closing a connection whose events end the handler's stream", attributes...)
}
