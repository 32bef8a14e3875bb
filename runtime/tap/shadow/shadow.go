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

// Config configures a [Shadow].
type Config struct {
	// Name is the name of the live handler in logs and metrics. It is required.
	Name string
	// Factory makes the shadow handlers, which must call inside their events, as modules do. It is closed with the
	// Shadow. It is required.
	Factory gateway.HandlerFactory
	// Sample is the percentage of connections that are shadowed. If zero, 100.
	Sample float64
	// Posts says that the live handler posts events, as modules do and gRPC services do not.
	Posts bool
	// Logger receives differences and failures, a few a minute. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics is the set of counters to use. If zero, an unregistered set.
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

// The bounds of the queues for shadows, in bytes.
const (
	maxQueueBytes = 256 << 10 // for the shadow of one connection
	maxTotalBytes = 64 << 20  // for all shadows together
)

// Shadow runs handlers alongside those of another factory.
type Shadow struct {
	cfg     Config
	metrics *handlerMetrics
	workers chan struct{} // holds a token for each shadow that runs: at most half of GOMAXPROCS
	waiting atomic.Int64  // bytes in all queues
	logs    *rate.Limiter

	queueBytes, totalBytes int // smaller than the constants in tests

	suppressed atomic.Int64 // lines suppressed since the last one

	mu     sync.Mutex // guards the fields below
	conns  map[*connection]struct{}
	closed bool
	idle   chan struct{} // made by Close, closed when conns is empty
}

var _ tap.Tapper = (*Shadow)(nil)

// The rate of log lines.
const (
	logBurst    = 10
	logsASecond = 0.2
)

// New creates a shadow for the handlers of another factory.
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

// NewHandler creates a handler of live for a new connection, which may be shadowed.
func (s *Shadow) NewHandler(live gateway.HandlerFactory, conn gateway.ConnectionAdapter) (gateway.ConnectionHandler,
	error,
) {
	if s.cfg.Sample < 100 && rand.Float64()*100 >= s.cfg.Sample { //nolint:gosec // not used for security
		return live.NewHandler(conn)
	}
	return tap.NewHandler(live, conn, &connection{shadow: s, id: conn.ID()})
}

// begin adds c. It reports false once the Shadow is closed.
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

// end removes c.
func (s *Shadow) end(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.idle != nil && len(s.conns) == 0 {
		close(s.idle)
		s.idle = nil
	}
}

// Close drops the shadows of open connections, waits until the others have played what is queued, and closes the
// factory.
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

// log logs a line, unless that exceeds the rate.
func (s *Shadow) log(text string, args ...any) {
	if !s.logs.Allow() {
		s.suppressed.Add(1)
		return
	}
	if n := s.suppressed.Swap(0); n > 0 {
		args = append(args, "suppressed", n)
	}
	s.cfg.Logger.Warn(text, append([]any{"handler", s.cfg.Name}, args...)...)
}
