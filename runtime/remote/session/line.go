package session

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/runtime/remote/internal/backend"
	"github.com/exgate/exgate/runtime/remote/target"
)

// line is a session's way to one backend: one stream after the other. Its fields are guarded by Session.mu.
type line struct {
	session    *Session
	to         *backend.Backend
	node       string       // the gateway's
	limits     windowLimits // of a window
	batch      int          // messages in an event
	ready      []*conn      // have events to send, in the order of their turns
	turns      int          // of ready until the next trial may begin
	suspects   []*conn      // have events to send that go alone
	trial      *trial       // nil: none is under way
	inFlight   int          // connections with events that were sent on this stream and not acknowledged, also of those dropped since
	progressed bool         // the handler acknowledged an event on the newest stream
	results    resultQueue
	live       *stream       // nil: there is no stream
	err        error         // why there is no stream; nil while the first attempt is under way
	ended      bool          // there will be no stream any longer
	changed    chan struct{} // closed and replaced when live or why changes
}

// run opens one stream after the other until the session or the connection to the backend is closed.
func (l *line) run() {
	ctx := l.session.ctx
	var refused time.Time // since when the handler refuses streams
	for pause := target.FirstRetry; ; pause = min(2*pause, target.SlowestRetry) {
		began := time.Now()
		err := l.stream(ctx)
		over := ctx.Err() != nil || l.to.Closed()
		if !target.IsUnprocessed(err) {
			refused = time.Time{}
		} else if refused.IsZero() {
			refused = began
		}
		if !over && !refused.IsZero() && time.Since(refused) < l.session.timeout { // it never was a stream
			l.session.metrics.refused.Inc()
			l.pauseBeforeRetry(ctx, pause)
			continue
		}
		if over {
			err = errSessionClosed
		}
		l.lost(err, over)
		if over {
			return
		}
		if time.Since(began) > target.SlowestRetry {
			pause = target.FirstRetry
		} else if l.hasProgressed() {
			pause = min(pause, usefulRetry) // others wait for the next stream while suspects are found
		}
		l.pauseBeforeRetry(ctx, pause)
	}
}

// hasProgressed reports whether the handler acknowledged an event on the last stream.
func (l *line) hasProgressed() bool {
	l.session.mu.Lock()
	defer l.session.mu.Unlock()
	return l.progressed
}

// pauseBeforeRetry waits before the next attempt, and no longer than until the backend is connected again.
func (l *line) pauseBeforeRetry(ctx context.Context, pause time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, pause)
	defer cancel()
	rpc := l.to.RPC()
	state := rpc.GetState()
	if state == connectivity.Ready {
		<-ctx.Done()
	}
	for state != connectivity.Ready && rpc.WaitForStateChange(ctx, state) {
		state = rpc.GetState()
	}
}

// conns are the connections of the line; the caller holds mu.
func (l *line) conns() []*conn {
	var conns []*conn
	for _, c := range l.session.open {
		if c.line == l {
			conns = append(conns, c)
		}
	}
	return conns
}

// attach makes st the stream that is used. What was not acknowledged goes out again.
func (l *line) attach(st *stream) {
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	l.live, l.err, l.progressed = st, nil, false
	l.limits, l.batch = st.limits, st.batch
	now := s.now()
	conns := l.conns()
	bySuspicion(conns)
	for _, c := range conns {
		c.startedAt = now
		if c.isHeld {
			s.metrics.retries.Inc()
		}
		c.countHeld()
		c.notify() // the window may be another
		l.schedule(c)
	}
	l.turns = len(l.ready)
	l.change()
}

// lost notes that there is no stream.
func (l *line) lost(err error, over bool) {
	s := l.session
	s.mu.Lock()
	blamed := l.live != nil && !over
	l.live, l.err, l.ended = nil, err, over
	l.ready, l.results = nil, resultQueue{}
	now := s.now()
	conns := l.conns()
	var guilty []*conn
	for _, c := range conns {
		if blamed && c.noteStreamEnd() {
			guilty = append(guilty, c)
		}
		c.rewind(now)
	}
	l.suspects, l.trial, l.inFlight = nil, nil, 0
	l.change()
	s.mu.Unlock()
	l.closeGuilty(guilty, err)
	if s.onFailure != target.OnFailureClose && len(conns) > 0 && !over {
		_ = s.target.Report(l.to, "Session", unavailable(err), false)
	}
	l.expire()
}

// change wakes those who wait for a stream; the caller holds mu.
func (l *line) change() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// refuses reports whether new connections need not hope for a stream; the caller holds mu.
func (l *line) refuses() bool {
	s := l.session
	return l.live == nil && l.err != nil && (s.closed || s.onFailure == target.OnFailureClose || !retryable(l.err))
}

// retryable reports whether the end of a stream is one that another attempt may not meet. Statuses that say that the handler does not want are not.
func retryable(why error) bool {
	switch status.Code(why) {
	case codes.Unimplemented, codes.InvalidArgument, codes.FailedPrecondition, codes.PermissionDenied, codes.Unauthenticated:
		return false
	}
	return true
}

// unavailable is why as the error of a handler that is not there, unless it says that the handler is there and does not want.
func unavailable(why error) error {
	if retryable(why) {
		return status.Error(codes.Unavailable, statusText(why))
	}
	return why
}

// awaitStream returns when there is a stream, or need not be one yet.
func (l *line) awaitStream(ctx context.Context) error {
	s := l.session
	for {
		s.mu.Lock()
		why, changed, refused := l.err, l.changed, l.refuses()
		wait := l.live == nil && s.onFailure == target.OnFailureClose
		s.mu.Unlock()
		switch {
		case refused:
			return s.target.Failed(l.to, "Session", unavailable(why), true)
		case !wait:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s.target.Failed(l.to, "Session", status.Error(codes.Unavailable, "connecting takes too long"), true)
		}
	}
}

// schedule gives c a turn to send, if there is a stream and it has something to say; the caller holds mu.
func (l *line) schedule(c *conn) {
	if l.live == nil || c.queued || !c.hasOutput() || l.trial != nil && l.trial.conn == c {
		return
	}
	c.queued = true
	if c.suspect() {
		l.suspects = append(l.suspects, c)
	} else {
		l.ready = append(l.ready, c)
	}
	l.live.wake()
}

// fill appends what waits to frame until it is full; the caller holds mu.
func (l *line) fill(frame []byte, full int) []byte {
	frame = l.results.Take(frame)
	if l.trial != nil {
		return l.fillAlone(frame, full)
	}
	turns := 0
	for turns < len(l.ready) && len(frame) < full {
		c := l.ready[turns]
		begun := len(frame)
		if c.hasOutput() { // what it had to say may have been dropped
			frame = c.take(frame, full)
		}
		if len(frame) == begun && c.hasOutput() { // its next event needs a frame of its own
			break
		}
		turns++
		c.queued = false
		l.schedule(c) // where the frame is full
	}
	l.ready = l.ready[:copy(l.ready, l.ready[turns:])]
	l.turns -= turns
	l.tryAlone()
	return frame
}

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
