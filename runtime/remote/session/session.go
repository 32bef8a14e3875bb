package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/internal/backoff"
	"github.com/exgate/exgate/internal/lograte"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/backend"
	"github.com/exgate/exgate/runtime/remote/target"
)

// Limits of the session dialect.
const (
	windowEvents     = 64
	windowBytes      = 64 << 10
	totalWindowBytes = 64 << 20  // in all windows together, except for one event in each
	maxResultBytes   = 256 << 10 // queued results; above it no commands are read
)

var errSessionClosed = errors.New("the gateway closed the session")

// Session carries the events and commands of many connections over one stream to each backend. Events stay in the
// window of their connection until the handler has acknowledged them, so that a broken stream loses none.
type Session struct {
	target    *target.Target
	timeout   time.Duration
	onFailure target.OnFailure
	patience  time.Duration // how long an event waits for a stream
	maxEvent  int           // bytes
	publish   func(topic string, qos uint32, payload []byte, done gateway.Done) gateway.Result
	metrics   *counters
	began     time.Time
	ctx       context.Context // ends the streams
	cancel    context.CancelFunc
	running   sync.WaitGroup

	mu            sync.Mutex // guards the fields below, and those of every line and conn
	lines         map[*backend.Backend]*line
	open          map[uint64]*conn
	last          uint64             // the number of the newest connection
	bytes         int                // in all windows
	pendingCloses int                // ended connections whose Closed the handler has not acknowledged
	blocked       map[*conn]struct{} // waiting for bytes to decrease
	closed        bool

	guiltyLog lograte.Limiter
}

// Config configures a Session. Each field is required.
type Config struct {
	// RawPublish publishes for the handler.
	RawPublish func(topic string, qos uint32, payload []byte, done gateway.Done) gateway.Result
	// Commands counts commands by handler, method and result.
	Commands *prometheus.CounterVec
	// Metrics counts everything else.
	Metrics *Metrics
}

// New returns the session dialect of the handler t.
func New(t *target.Target, cfg Config) *Session {
	s := &Session{
		target: t, timeout: t.Timeout, onFailure: t.OnFailure, patience: t.Patience, publish: cfg.RawPublish,
		metrics:  newCounters(t, cfg),
		maxEvent: min(t.MaxMessage, maxMessage) - eventOverhead,
		began:    time.Now(), lines: make(map[*backend.Backend]*line), open: make(map[uint64]*conn),
		blocked: make(map[*conn]struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.running.Go(s.watch)
	return s
}

func (s *Session) NewHandler(of gateway.ConnectionAdapter) gateway.ConnectionHandler {
	return &conn{session: s, conn: of, id: of.ID(), pin: s.target.Pool.Pin()}
}

// now is the session's clock. It is never 0.
func (s *Session) now() time.Duration { return time.Since(s.began) + 1 }

// Close waits briefly for pending closes and ends the streams. All connections must have ended.
func (s *Session) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, target.CloseGrace)
	defer cancel()
	for s.hasPendingCloses() && backoff.Sleep(ctx, target.FirstPause) {
	}
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metrics.countUndelivered(target.UndeliveredShutdown, s.pendingCloses)
	s.closesChanged(-s.pendingCloses)
}

// hasPendingCloses reports whether closes are pending.
func (s *Session) hasPendingCloses() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pendingCloses > 0
}

// line returns the line to a backend for c; the caller holds mu.
func (s *Session) line(to *backend.Backend, c *conn) *line {
	l := s.lines[to]
	if l == nil {
		l = &line{
			session: s, to: to, node: gateway.NodeOf(c.id), changed: make(chan struct{}), batch: s.target.MaxBatch,
			limits: windowLimits{Events: windowEvents, Bytes: windowBytes},
		}
		s.lines[to] = l
		if !s.closed {
			s.running.Go(l.run)
		}
	}
	return l
}

// assign pins a new connection to a backend, and returns the line when it has a stream or needs none yet.
func (s *Session) assign(c *conn) (*line, error) {
	limit := s.patience
	if s.onFailure == target.OnFailureClose {
		limit = min(target.ConnectTimeout, s.timeout)
	}
	ctx, end := target.WaitContext(c.conn, limit)
	if ctx == nil {
		return nil, target.ErrClosing
	}
	defer end()
	to, err := c.pin.Backend(ctx)
	if err != nil {
		return nil, s.target.Failed(nil, "Session", status.Error(codes.Unavailable, statusText(err)), true)
	}
	s.mu.Lock()
	l := s.line(to, c)
	s.mu.Unlock()
	return l, l.awaitStream(ctx)
}

// statusText returns the message of a stream's error without gRPC's prefix.
func statusText(err error) string {
	if s, ok := status.FromError(err); ok && s != nil {
		return s.Message()
	}
	return fmt.Sprint(err)
}

// fail closes those of the connections that have not failed yet. One that has ended since the caller chose it keeps its
// Closed event, which is sent on the next stream.
func (s *Session) fail(conns []*conn, to *backend.Backend, err error) {
	var failed []*conn
	s.mu.Lock()
	now := s.now()
	for _, c := range conns {
		if c.err == nil && (!c.ended || c.overdue(now)) {
			failed = append(failed, c)
		}
	}
	if len(failed) == 0 {
		s.mu.Unlock()
		return
	}
	failure := s.target.FailedTimes(len(failed), to, "Session", err, false)
	for _, c := range failed {
		c.fail(failure)
	}
	s.mu.Unlock()
	for _, c := range failed {
		c.conn.Close(gateway.ReasonOf(failure))
	}
}

// closesChanged adjusts the number of pending closes; the caller holds mu.
func (s *Session) closesChanged(n int) {
	s.pendingCloses += n
	s.metrics.closesWaiting.Set(float64(s.pendingCloses))
}

// freed subtracts bytes from the sum of all windows, and wakes connections that were blocked by it; the caller holds
// mu.
func (s *Session) freed(bytes int) {
	s.bytes -= bytes
	if s.bytes <= totalWindowBytes && len(s.blocked) > 0 {
		for c := range s.blocked {
			c.notify()
		}
		clear(s.blocked)
	}
}

const (
	maxTick    = time.Second // maximum time between two checks for what takes too long
	checkBatch = 500         // connections checked without releasing mu
)

// watch checks, several times in each timeout, what takes too long.
func (s *Session) watch() {
	tick := min(s.timeout/8, maxTick)
	if s.onFailure != target.OnFailureClose {
		tick = min(tick, s.patience/4)
	}
	ticker := time.NewTicker(max(tick, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.check()
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *Session) check() {
	s.mu.Lock()
	lines := slices.Collect(maps.Values(s.lines))
	s.mu.Unlock()
	for _, l := range lines {
		l.moveConns()
		l.expire()
		l.checkLate()
	}
}

// checkLate closes connections whose handler is late, and pings a silent handler.
func (l *line) checkLate() {
	s := l.session
	s.mu.Lock()
	live, now := l.live, s.now()
	var late []*conn
	looked := 0
	for _, c := range s.open {
		if looked++; looked%checkBatch == 0 { // let events and commands pass
			s.mu.Unlock()
			s.mu.Lock()
		}
		switch {
		case c.line != l || !c.overdue(now):
		case c.err == nil:
			late = append(late, c)
		case c.ended:
			c.drop()
		}
	}
	s.mu.Unlock()
	if live != nil {
		live.checkAlive()
	}
	if len(late) > 0 {
		s.fail(late, l.to,
			status.Error(codes.DeadlineExceeded, fmt.Sprintf("a callback takes longer than %v", s.timeout)))
	}
}
