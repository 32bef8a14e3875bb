package shadow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
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
	// QueueBytes is how much may wait for the shadow of one connection. If zero, 256 KiB.
	QueueBytes int
	// TotalBytes is how much may wait for all shadows together. If zero, 64 MiB.
	TotalBytes int
	// Workers is how many shadows may run at once. If zero, half of GOMAXPROCS, and at least one.
	Workers int
	// Logger takes differences and failures, a few a minute. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts. If zero, an unregistered set.
	Metrics *Metrics
}

func (c *Config) check() error {
	if c.Name == "" || c.Factory == nil {
		return errors.New("a shadow needs a name and a factory")
	}
	if c.Sample < 0 || c.Sample > 100 || c.QueueBytes < 0 || c.TotalBytes < 0 || c.Workers < 0 {
		return fmt.Errorf("shadow of %s: a sample is 0 to 100 of a hundred, and bounds are not negative", c.Name)
	}
	setDefault(&c.Sample, 100)
	setDefault(&c.QueueBytes, 256<<10)
	setDefault(&c.TotalBytes, 64<<20)
	setDefault(&c.Workers, max(1, runtime.GOMAXPROCS(0)/2))
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	return nil
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Shadow is a factory whose handlers are those of the live one, shadowed.
type Shadow struct {
	live    gateway.HandlerFactory // with the taps
	cfg     Config
	metrics *handlerMetrics
	workers chan struct{} // holds a token for each shadow that runs
	waiting atomic.Int64  // bytes in all queues
	logs    *rate.Limiter
	quiet   atomic.Int64 // lines that were not logged since the last one

	shadows sync.WaitGroup // connections whose shadow has not ended
}

var (
	_ gateway.HandlerFactory = (*Shadow)(nil)
	_ tap.Versioned          = (*Shadow)(nil)
)

// The lines that are logged: so many at once, then one in so many seconds.
const (
	logBurst    = 10
	logsASecond = 0.2
)

// New puts a shadow beside live. Closing it closes both.
func New(live gateway.HandlerFactory, cfg Config) (*Shadow, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Shadow{
		cfg: cfg, metrics: cfg.Metrics.handler(cfg.Name), workers: make(chan struct{}, cfg.Workers), logs: rate.NewLimiter(logsASecond, logBurst),
	}
	s.live = tap.Wrap(live, s.open)
	return s, nil
}

// NewHandler returns a live handler.
func (s *Shadow) NewHandler(conn gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	return s.live.NewHandler(conn)
}

// Digest is that of the live handler.
func (s *Shadow) Digest() string {
	if v, ok := s.live.(tap.Versioned); ok {
		return v.Digest()
	}
	return ""
}

func (s *Shadow) open(id string) tap.Sink {
	if s.cfg.Sample < 100 && rand.Float64()*100 >= s.cfg.Sample { //nolint:gosec // nothing depends on nobody guessing it
		return nil
	}
	return &connection{shadow: s, id: id}
}

// Close closes the live handler, waits for the shadows to have seen what they are owed, and closes theirs.
func (s *Shadow) Close(ctx context.Context) error {
	err := s.live.Close(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.shadows.Wait()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		err = errors.Join(err, fmt.Errorf("shadow of %s: %w", s.cfg.Name, ctx.Err()))
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
