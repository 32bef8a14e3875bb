package wasm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/exgate/exgate/runtime/gateway"
)

// Config is what an [Engine] is made of.
type Config struct {
	// Name is the handler's, in logs and metrics. It is required.
	Name string

	// Module is the .wasm file. It is required.
	Module []byte

	// GuestConfig is handed to the guest's exproto_v1_init as it is. If zero, the guest gets no bytes.
	GuestConfig []byte

	// Limits bound each instance. If zero, those that their fields name.
	Limits Limits

	// Shards is the number of instances. If zero, GOMAXPROCS.
	Shards int

	// CacheDir is a folder for compiled code, which is made where it is missing. Who can write there can run code as exgate. If zero,
	// nothing is kept.
	CacheDir string

	// Logger takes the engine's lines and the guests'. If zero, slog.Default().
	Logger *slog.Logger

	// Metrics counts. If zero, a set of its own that is not registered.
	Metrics *Metrics
}

// Engine makes the handlers of one guest module.
type Engine struct {
	config  Config
	log     *slog.Logger
	metrics *handlerMetrics
	program *program
	shards  []*shard

	lastConn atomic.Int64  // connection ids are never reused
	turn     atomic.Uint32 // where the search for a shard begins

	starting context.Context // ends when the engine closes
	stop     context.CancelFunc
	starters sync.WaitGroup
}

var _ gateway.HandlerFactory = (*Engine)(nil)

var errShards = errors.New("the number of shards is negative")

// New loads a guest and starts its instances. An error says what is wrong with the module, or how its start failed.
func New(ctx context.Context, c Config) (*Engine, error) {
	if c.Name == "" || len(c.Module) == 0 {
		return nil, errors.New("a wasm handler needs a name and a module")
	}
	if err := c.Limits.check(); err != nil || c.Shards < 0 {
		return nil, fmt.Errorf("wasm handler %s: %w", c.Name, cmp.Or(err, errShards))
	}
	c.Limits = c.Limits.withDefaults()
	c.Shards = cmp.Or(c.Shards, runtime.GOMAXPROCS(0))
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	e := &Engine{config: c, log: c.Logger.With("handler", c.Name), metrics: c.Metrics.handler(c.Name)}
	var err error
	if e.program, err = load(ctx, c.Module, c.Limits, c.CacheDir, e.log); err != nil {
		return nil, fmt.Errorf("loading wasm handler %s: %w", c.Name, err)
	}
	e.starting, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	for i := range c.Shards {
		s := &shard{engine: e, index: i}
		e.shards = append(e.shards, s)
		if err := s.start(); err != nil {
			return nil, errors.Join(fmt.Errorf("starting wasm handler %s: %w", c.Name, err), e.Close(ctx))
		}
	}
	return e, nil
}

// NewHandler gives the connection to the live instance that has fewest. Without one the error carries gateway.ReasonHandlerUnavailable.
func (e *Engine) NewHandler(adapter gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	first := int(e.turn.Add(1))
	var best *instance
	for i := range e.shards {
		in := e.shards[(first+i)%len(e.shards)].current.Load()
		if in != nil && (best == nil || in.attached.Load() < best.attached.Load()) {
			best = in
		}
	}
	if best == nil {
		err := fmt.Errorf("no instance of wasm handler %s is live", e.config.Name)
		return nil, &gateway.HandlerError{Reason: gateway.ReasonHandlerUnavailable, Err: err}
	}
	best.attached.Add(1)
	return &connection{instance: best, id: e.lastConn.Add(1), adapter: adapter}, nil
}

// Close ends the instances and frees the compiled module.
func (e *Engine) Close(ctx context.Context) error {
	e.stop()
	e.starters.Wait()
	for _, s := range e.shards {
		if in := s.current.Swap(nil); in != nil {
			in.close()
		}
	}
	if err := e.program.close(ctx); err != nil {
		return fmt.Errorf("closing wasm handler %s: %w", e.config.Name, err)
	}
	return nil
}
