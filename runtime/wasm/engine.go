package wasm

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/wasm/internal/suspects"
	"golang.org/x/time/rate"
)

// Config is what an [Engine] is made of.
type Config struct {
	// Name is the handler's, in logs and metrics. It is required.
	Name string

	// Module is the .wasm file. It is required.
	Module []byte

	// GuestConfig is handed to the guest's exproto_v1_init as it is. If zero, the guest gets no bytes.
	GuestConfig []byte

	// Unmetered is what becomes of a module that cannot be metered. If zero, UnmeteredRefuse.
	Unmetered Unmetered

	// Limits bound each instance. If zero, those that their fields name.
	Limits Limits

	// Isolation is how connections share instances. If zero, IsolationShared.
	Isolation Isolation

	// NoStartImage makes each connection's instance run the module's start. Instances that begin as an image share what the guest drew
	// there, such as the seed of Go's math/rand: this is for guests that must not, at the price of the start for each connection. If
	// zero, an image is used where the module allows it.
	NoStartImage bool

	// Shards is the number of instances where they are shared; one more is kept ready. If zero, GOMAXPROCS.
	Shards int

	// CacheDir is a folder for compiled code, which is made where it is missing. Who can write there can run code as exgate. If zero,
	// nothing is kept.
	CacheDir string

	// Logger takes the engine's lines and the guests'. If zero, slog.Default().
	Logger *slog.Logger

	// Metrics counts. If zero, a set of its own that is not registered.
	Metrics *Metrics

	// For benchmarks only: a guest that can run for ever.
	noMetering bool
}

// Engine makes the handlers of one guest module.
type Engine struct {
	config  Config
	log     *slog.Logger
	metrics *handlerMetrics
	digest  string
	program *program

	shards   []*shard     // where instances are shared
	spares   *spares      // for a shard that loses its instance
	suspects suspects.Set // whose connections get none of the shards
	apart    [2]*apart    // instances for those: of sources that are suspected, and of others while the alarm lasts
	isolated *isolated    // where each connection has its own
	template *template    // what those begin as; nil: each runs the module's start
	noImage  string       // why there is no template

	guestLines *rate.Limiter // of what guests log whose instance is no shard's
	endLines   *rate.Limiter // of lines about the ends of such instances

	stats    stats
	lastConn atomic.Int64  // connection ids are never reused
	next     atomic.Uint32 // where the search for a shard begins

	starting context.Context // ends when the engine closes
	stop     context.CancelCauseFunc
	starters sync.WaitGroup
}

var _ gateway.HandlerFactory = (*Engine)(nil)

var errShards = errors.New("the number of shards is negative")

// New loads a guest and starts its instances: those that are shared, or one to see that it starts. An error says what is wrong with the module, or
// how its start failed.
func New(ctx context.Context, c Config) (*Engine, error) {
	if c.Name == "" || len(c.Module) == 0 {
		return nil, errors.New("a wasm handler needs a name and a module")
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("wasm handler %s: %w", c.Name, err)
	}
	timed := c.Limits.WallTime > 0
	c = c.withDefaults()
	e := &Engine{
		config: c, log: c.Logger.With("handler", c.Name), metrics: c.Metrics.handler(c.Name), digest: digest(c.Module),
	}
	var err error
	if e.program, err = load(ctx, c, e.log); err != nil {
		return nil, fmt.Errorf("loading wasm handler %s: %w", c.Name, err)
	}
	if timed && e.program.ends == byFuel {
		e.log.Info("limits.wall_time does not apply to this module: it is metered, and fuel, host_calls and send_bytes bound its events")
	}
	e.noImage = e.program.parts.Whole
	e.guestLines, e.endLines = e.newLines(), e.newLines()
	e.starting, e.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	if err := e.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting wasm handler %s: %w", c.Name, err), e.Close(ctx))
	}
	return e, nil
}

func (c Config) check() error {
	var shards error
	if c.Shards < 0 {
		shards = errShards
	}
	return cmp.Or(c.Limits.check(), c.Isolation.check(), c.Unmetered.check(), shards)
}

func (c Config) withDefaults() Config {
	c.Limits = c.Limits.withDefaults()
	c.Isolation = cmp.Or(c.Isolation, IsolationShared)
	c.Shards = cmp.Or(c.Shards, runtime.GOMAXPROCS(0))
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	return c
}

// SettingsHash returns the SHA-256 of the settings: engines of the same module with the same hash behave alike. Module, Logger and Metrics do
// not count, and a setting left zero counts as its default.
func (c Config) SettingsHash() [sha256.Size]byte {
	guestConfig := sha256.Sum256(c.GuestConfig)
	c = c.withDefaults()
	c.Module, c.GuestConfig, c.Logger, c.Metrics = nil, nil, nil, nil
	return sha256.Sum256(fmt.Appendf(nil, "%x %+v", guestConfig, c))
}

// start starts the shared instances, or one that nothing uses.
func (e *Engine) start() error {
	if e.config.Isolation == IsolationConnection {
		e.isolated = newIsolated(e)
		e.starters.Go(e.isolated.watchIdle)
		return e.makeTemplate()
	}
	e.spares = &spares{engine: e}
	for i := range e.config.Shards {
		s := &shard{engine: e, index: i}
		in, err := newInstance(e, s.label())
		if err != nil {
			return err
		}
		s.put(in)
		e.shards = append(e.shards, s)
	}
	memory := e.shards[0].current.Load().memory.Size()
	e.apart = [2]*apart{newApart(e, memory), newApart(e, memory)}
	e.spares.refill()
	return nil
}

// InheritSuspects makes e keep the sources apart that have ended instances of from, an engine of an earlier version of
// the module.
func (e *Engine) InheritSuspects(from *Engine) { e.suspects.Inherit(&from.suspects, time.Now()) }

// NewHandler makes the handler of a connection, which gets its instance at OnSocketCreated. Where instances are shared and none is live the
// error carries gateway.ReasonHandlerUnavailable.
func (e *Engine) NewHandler(adapter gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	if e.isolated == nil && !e.suspects.Alarm(time.Now()) {
		if _, err := e.leastUsed(); err != nil && !e.spares.expected() {
			return nil, err
		}
	}
	return &connection{engine: e, id: e.lastConn.Add(1), adapter: adapter}, nil
}

// place returns the instance for a new connection, counted as attached.
func (e *Engine) place(c *connection) (*instance, error) {
	if e.isolated != nil {
		in, err := e.isolated.start(c.adapter.ID())
		if err == nil {
			in.attached.Add(1)
		}
		return in, err
	}
	if reason := e.suspects.Reason(c.source, time.Now()); reason != suspects.None {
		return e.placeApart(c, reason)
	}
	in, err := e.leastUsed()
	switch {
	case err == nil:
		in.attached.Add(1)
	case e.spares.expected():
		return e.placeApart(c, suspects.Restart)
	}
	return in, err
}

// placeApart returns an instance apart from the shards.
func (e *Engine) placeApart(c *connection, reason string) (*instance, error) {
	a := e.apart[1]
	if reason == suspects.Suspect {
		a = e.apart[0]
	}
	in, err := a.attach(c.adapter.ID())
	if err != nil {
		return nil, unavailable(err)
	}
	e.metrics.set.apart.WithLabelValues(e.config.Name, reason).Inc()
	return in, nil
}

// leastUsed returns the live shared instance that has fewest connections.
func (e *Engine) leastUsed() (*instance, error) {
	first := int(e.next.Add(1))
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
	return best, nil
}

// Close ends the instances and frees the compiled module.
func (e *Engine) Close(ctx context.Context) error {
	e.stop(errClosed)
	e.starters.Wait()
	if e.isolated != nil {
		e.isolated.close()
	}
	if e.spares != nil {
		e.spares.close()
	}
	for _, a := range e.apart {
		if a != nil {
			a.close()
		}
	}
	for _, s := range e.shards {
		if in := s.current.Swap(nil); in != nil {
			in.close()
		}
	}
	if err := errors.Join(e.template.close(), e.program.close(ctx)); err != nil {
		return fmt.Errorf("closing wasm handler %s: %w", e.config.Name, err)
	}
	return nil
}

// Stats is what became of an engine's connections.
type Stats struct {
	Connections uint64 // that the engine was given and had their first event
	Faults      uint64 // of those, the ones whose own event ended by a fault of the guest, or for which the guest could not start
}

type stats struct {
	connections atomic.Uint64
	faults      atomic.Uint64
}

// Stats returns the counts since the engine was made.
func (e *Engine) Stats() Stats {
	faults := e.stats.faults.Load() // first, so that it is never above the connections
	return Stats{Connections: e.stats.connections.Load(), Faults: faults}
}

// Digest names the version of the guest: the SHA-256 of the module as it was given, in hexadecimal.
func (e *Engine) Digest() string { return e.digest }

// Isolation returns how connections share instances.
func (e *Engine) Isolation() Isolation { return e.config.Isolation }

// StartImage reports whether instances start from an image of one that has started, and why not where they do not.
func (e *Engine) StartImage() (ok bool, why string) {
	return e.template != nil, e.noImage
}

func digest(module []byte) string {
	sum := sha256.Sum256(module)
	return hex.EncodeToString(sum[:])
}
