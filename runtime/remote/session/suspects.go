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

// When a stream ends, the connections with unacknowledged events on it become suspects. On the next stream their events
// are sent after those of the others. From the second such end on they are sent alone, one connection at a time: the
// others wait until all sent events are acknowledged, and then for the suspect. A suspect that was alone when streams
// ended is closed. An acknowledgement clears a suspect.
const (
	endsUntilAlone  = 2
	endsUntilGuilty = 6 // a handler that restarts five times during one event costs no device its connection
	aloneIfGuilty   = 2 // at least so many of these ends

	trialPatience = 2 * time.Second // for earlier events, and for the suspect's acknowledgement
	// quietPatience is how long a suspect is alone that sent nothing to acknowledge, only a repeated Created.
	quietPatience = 100 * time.Millisecond

	progressRetry = 400 * time.Millisecond // the longest pause after a stream with acknowledged events

	givenUpEndedStreams = "ended_streams"
)

// suspicion is what ended streams say about one connection.
type suspicion struct {
	ends     int  // streams ended since its last acknowledgement
	alone    int  // how many of these ended while it was alone
	cleared  bool // the handler has acknowledged an event of it
	inFlight bool // counted in line.inFlight
	excused  bool // it was tried long enough: on this stream it is treated like the others
}

// trial sends the events of one suspect alone.
type trial struct {
	conn *conn
	sent bool
}

// suspect reports whether the connection must be alone.
func (c *conn) suspect() bool { return c.ends >= endsUntilAlone && !c.excused }

// hasUnacknowledged reports whether the handler received something of the connection without acknowledging it.
func (c *conn) hasUnacknowledged() bool {
	return c.window.Sent() || c.announced && !c.reannounce && !c.cleared
}

// noteStreamEnd records that a stream ended, and reports whether the connection is to blame.
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

// countSent counts the connection in line.inFlight if it has unacknowledged events.
func (c *conn) countSent() {
	if !c.inFlight && c.window.Sent() {
		c.inFlight = true
		c.line.inFlight++
	}
}

// clearSuspicion handles an acknowledgement.
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

// bySuspicion sorts the least suspicious connections first.
func bySuspicion(conns []*conn) {
	slices.SortStableFunc(conns, func(a, b *conn) int { return a.ends - b.ends })
}

// tryAlone begins a trial if a suspect waits and all other connections were served since the last trial.
func (l *line) tryAlone() {
	if l.trial != nil || len(l.suspects) == 0 || len(l.ready) > 0 && l.untilTrial > 0 {
		return
	}
	c := l.suspects[0]
	l.suspects = l.suspects[1:]
	c.queued = false
	l.trial = &trial{conn: c}
	l.limitTrial(min(l.session.timeout/4, trialPatience))
	l.live.wake()
}

// limitTrial ends the current trial after a while.
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

// fillAlone appends the suspect's output once the other connections have nothing in flight.
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
	if t.sent = c.inFlight || !c.hasOutput(); t.sent { // otherwise its event needs a frame of its own
		c.startedAt = l.session.now()
		if !c.inFlight {
			l.limitTrial(min(l.session.timeout/4, quietPatience))
		}
	}
	return frame
}

// endTrial ends the trial of c, if there is one, so that the other connections continue.
func (l *line) endTrial(c *conn) {
	if l.trial == nil || l.trial.conn != c {
		return
	}
	l.trial, l.untilTrial = nil, len(l.ready)
	now := l.session.now()
	for _, waited := range l.ready {
		if !waited.window.Sent() {
			waited.startedAt = now
		}
	}
	l.schedule(c)
	l.live.wake()
}

// closeGuilty closes connections whose events end the stream. If the handler never acknowledged an event of one, it is
// not told of its end either.
func (l *line) closeGuilty(guilty []*conn, why error) {
	s := l.session
	for _, c := range guilty {
		s.mu.Lock()
		err := &gateway.HandlerError{Reason: gateway.ReasonHandlerStreamEnded, Err: &target.Error{
			What: fmt.Sprintf("Session of handler %q at %s", s.target.Name, l.to.Addr()), Code: codes.Aborted,
			Text: fmt.Sprintf(
				"the stream ended %d times at events of this connection, %d times with no others in flight; last: %s",
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
	attributes := []any{
		"conn", c.id, "peer", c.info.Peer, "error", err, "check", "the handler's log, and what this device sent",
		"suppressed", suppressed,
	}
	if known, ok := c.conn.(interface {
		Listener() string
		Client() (gateway.ClientInfo, bool)
	}); ok {
		client, _ := known.Client()
		attributes = append(attributes, slog.String("listener", known.Listener()),
			slog.String("client_id", convert.Shorten(client.ClientID)))
	}
	s.target.Log.Warn("closing a connection whose events end the handler's stream", attributes...)
}
