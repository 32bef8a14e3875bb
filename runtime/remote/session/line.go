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

// line connects a session to one backend, with one stream after the other. Its fields are guarded by Session.mu.
type line struct {
	session    *Session
	to         *backend.Backend
	node       string       // the gateway's name
	limits     windowLimits // of each window
	batch      int          // maximum number of messages in an event
	uses       features     // of the handler
	ready      []*conn      // connections with events to send, in order
	untilTrial int          // how many of ready are served before the next trial may begin
	suspects   []*conn      // connections whose events must be sent alone
	trial      *trial       // nil without a trial
	inFlight   int          // connections, dropped ones included, with unacknowledged events on this stream
	progressed bool         // the handler acknowledged an event on the latest stream
	results    resultQueue
	live       *stream       // nil without a stream
	err        error         // why there is no stream; nil during the first attempt
	ended      bool          // there will be no further stream
	changed    chan struct{} // closed and replaced when live or err changes
}

// run opens one stream after the other until the session or the connection to the backend is closed.
func (l *line) run() {
	ctx := l.session.ctx
	var refused time.Time // since when the handler has refused streams
	for pause := target.FirstRetry; ; pause = min(2*pause, target.SlowestRetry) {
		began := time.Now()
		err := l.stream(ctx)
		over := ctx.Err() != nil || l.to.Closed()
		if !target.IsUnprocessed(err) {
			refused = time.Time{}
		} else if refused.IsZero() {
			refused = began
		}
		if !over && !refused.IsZero() && time.Since(refused) < l.session.timeout { // the stream never began
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
			pause = min(pause, progressRetry) // other connections wait for the next stream while suspects are tried
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

// pauseBeforeRetry pauses before the next attempt, but not longer than until the backend is connected again.
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

// conns returns the connections of the line; the caller holds mu.
func (l *line) conns() []*conn {
	var conns []*conn
	for _, c := range l.session.open {
		if c.line == l {
			conns = append(conns, c)
		}
	}
	return conns
}

// attach makes st the current stream. Unacknowledged events are sent again.
func (l *line) attach(st *stream) {
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	l.live, l.err, l.progressed = st, nil, false
	l.limits, l.batch, l.uses = st.limits, st.batch, st.uses
	now := s.now()
	conns := l.conns()
	bySuspicion(conns)
	for _, c := range conns {
		c.startedAt = now
		if c.isHeld {
			s.metrics.retries.Inc()
		}
		c.countHeld()
		c.notify() // the limits may have changed
		l.schedule(c)
	}
	l.untilTrial = len(l.ready)
	l.change()
}

// lost records that there is no stream.
func (l *line) lost(err error, over bool) {
	s := l.session
	s.mu.Lock()
	blamed := l.live != nil && !over
	again := l.live != nil && l.live.byHandler
	if blamed && (again || !retryable(err)) || l.live == nil && !over && retryable(err) {
		err = endedStream(err)
	}
	l.live, l.err, l.ended = nil, err, over
	l.ready, l.results = nil, resultQueue{}
	now := s.now()
	conns := l.conns()
	var guilty []*conn
	for _, c := range conns {
		if blamed && c.noteStreamEnd() {
			guilty = append(guilty, c)
		}
		c.rewind(now, again)
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

// change wakes everything that waits for a stream; the caller holds mu.
func (l *line) change() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// refuses reports whether new connections should not wait for a stream; the caller holds mu.
func (l *line) refuses() bool {
	s := l.session
	return l.live == nil && l.err != nil && (s.closed || s.onFailure == target.OnFailureClose || !retryable(l.err))
}

// retryable reports whether another attempt may succeed after a stream ended with err. Statuses by which the handler
// refuses are not retryable.
func retryable(why error) bool {
	switch status.Code(why) {
	case codes.Unimplemented, codes.InvalidArgument, codes.FailedPrecondition, codes.PermissionDenied,
		codes.Unauthenticated:
		return false
	}
	return true
}

// endedStream returns the error of a stream that the handler ended with a status. Whatever the status, another stream
// may be accepted: it may be about one event.
func endedStream(err error) error {
	if s, ok := status.FromError(err); ok && !isLoss(err) {
		return status.Errorf(codes.Unavailable, "the handler ended the stream: %v: %s", s.Code(), s.Message())
	}
	return err
}

// unavailable turns a retryable error into Unavailable and returns others unchanged.
func unavailable(why error) error {
	if retryable(why) {
		return status.Error(codes.Unavailable, statusText(why))
	}
	return why
}

// awaitStream returns when there is a stream or none is needed yet.
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
			return s.target.Failed(l.to, "Session", status.Error(codes.Unavailable, "connecting took too long"), true)
		}
	}
}

// schedule queues c for sending if there is a stream and c has output; the caller holds mu.
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

// fill appends pending output to frame until it is full; the caller holds mu.
func (l *line) fill(frame []byte, full int) []byte {
	frame = l.results.Take(frame)
	if l.trial != nil {
		return l.fillAlone(frame, full)
	}
	served := 0
	for served < len(l.ready) && len(frame) < full {
		c := l.ready[served]
		begun := len(frame)
		if c.hasOutput() { // its output may have been dropped
			frame = c.take(frame, full)
		}
		if len(frame) == begun && c.hasOutput() { // its next event needs a frame of its own
			break
		}
		served++
		c.queued = false
		l.schedule(c) // if the frame is full
	}
	l.ready = l.ready[:copy(l.ready, l.ready[served:])]
	l.untilTrial -= served
	l.tryAlone()
	return frame
}

// OnFailure decides about connections whose backend has no stream. With close they are closed at once. With retry, the
// connections with unacknowledged events are closed if the handler was lost, because it may have processed them; if it
// ended the stream itself, they stay. All others are closed when an event has waited too long. Closed connections wait
// for any backend in each case.

// mustClose reports whether the connection should not wait for a stream; the caller holds mu.
func (c *conn) mustClose(now time.Duration) bool {
	s, l := c.session, c.line
	switch {
	case l.live != nil || l.err == nil || c.ended || c.err != nil:
		return false
	case s.closed || l.refuses() || s.onFailure == target.OnFailureRetry && c.mayRepeat:
		return true
	}
	return c.waitingSince != 0 && now-c.waitingSince > s.patience
}

// expire closes the connections that should not wait for a stream, and gives up old closes.
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

// moveConns moves connections to other backends if this one has no stream. A line that has ended is removed with its
// last connection.
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

// move assigns another connected backend to the connection, if its own has been lost for long enough.
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

// countHeld updates the metric of held connections: those with events that wait for a stream. The caller holds mu.
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

// forget gives up the close of a connection; the caller holds mu.
func (c *conn) forget(why string) {
	c.session.metrics.countUndelivered(why, 1)
	c.drop()
}
