package shadow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
)

// Config is what a [Shadow] is made of.
type Config struct {
	// Name is the live handler's, in logs and metrics. It is required.
	Name string
	// Factory makes the handlers that shadow. They must call inside their events, as modules do. It is closed with the Shadow. It is required.
	Factory gateway.HandlerFactory
	// Sample is how many of a hundred connections are shadowed. If zero, 100.
	Sample float64
	// Posts says that the live handler posts events of its own, as modules do and gRPC services do not. If zero, it does not.
	Posts bool
	// Logger takes differences and failures, a few a minute. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts. If zero, an unregistered set.
	Metrics *Metrics
}

func (c *Config) check() error {
	if c.Name == "" || c.Factory == nil {
		return errors.New("a shadow needs a name and a factory")
	}
	if c.Sample < 0 || c.Sample > 100 {
		return fmt.Errorf("shadow of %s: the sample must be 0 to 100 percent, not %v", c.Name, c.Sample)
	}
	c.Sample = cmp.Or(c.Sample, 100)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	return nil
}

// The bounds of what waits for shadows, in bytes.
const (
	maxQueueBytes = 256 << 10 // for the shadow of one connection
	maxTotalBytes = 64 << 20  // for all shadows together
)

// Shadow puts handlers beside those of another factory.
type Shadow struct {
	cfg     Config
	metrics *handlerMetrics
	workers chan struct{} // holds a token for each shadow that runs: at most half of GOMAXPROCS
	waiting atomic.Int64  // bytes in all queues
	logs    *rate.Limiter

	queueBytes, totalBytes int // smaller than the constants in tests

	quiet atomic.Int64 // lines that were not logged since the last one

	mu     sync.Mutex // guards the fields below
	conns  map[*connection]struct{}
	closed bool
	idle   chan struct{} // made by Close, closed when conns is empty
}

var _ tap.Tapper = (*Shadow)(nil)

// The lines that are logged: so many at once, then one in so many seconds.
const (
	logBurst    = 10
	logsASecond = 0.2
)

// New makes a shadow for the handlers of another factory.
func New(cfg Config) (*Shadow, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &Shadow{
		cfg: cfg, metrics: cfg.Metrics.handler(cfg.Name), logs: rate.NewLimiter(logsASecond, logBurst),
		workers:    make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		queueBytes: maxQueueBytes, totalBytes: maxTotalBytes,
		conns: make(map[*connection]struct{}),
	}, nil
}

// NewHandler returns the handler that live has for a new connection, which may be shadowed.
func (s *Shadow) NewHandler(live gateway.HandlerFactory, conn gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	if s.cfg.Sample < 100 && rand.Float64()*100 >= s.cfg.Sample { //nolint:gosec // nothing depends on nobody guessing it
		return live.NewHandler(conn)
	}
	return tap.NewHandler(live, conn, &connection{shadow: s, id: conn.ID()})
}

// begin notes that c has a shadow. It reports false once the Shadow is closed.
func (s *Shadow) begin(c *connection) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = struct{}{}
	s.metrics.connections.Inc()
	return true
}

// end notes that the shadow of c has ended.
func (s *Shadow) end(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.idle != nil && len(s.conns) == 0 {
		close(s.idle)
		s.idle = nil
	}
}

// Close gives up the shadows of connections that are still open, waits until the others have seen what they are owed, and closes their factory.
func (s *Shadow) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	open := slices.Collect(maps.Keys(s.conns))
	idle := make(chan struct{})
	if s.idle = idle; len(open) == 0 {
		close(idle)
		s.idle = nil
	}
	s.mu.Unlock()
	for _, c := range open {
		c.leave()
	}
	var err error
	select {
	case <-idle:
	case <-ctx.Done():
		err = fmt.Errorf("shadow of %s: %w", s.cfg.Name, ctx.Err())
	}
	return errors.Join(err, s.cfg.Factory.Close(ctx))
}

// log logs a line, unless there were too many.
func (s *Shadow) log(text string, args ...any) {
	if !s.logs.Allow() {
		s.quiet.Add(1)
		return
	}
	if n := s.quiet.Swap(0); n > 0 {
		args = append(args, "not_logged", n)
	}
	s.cfg.Logger.Warn(text, append([]any{"handler", s.cfg.Name}, args...)...)
}
