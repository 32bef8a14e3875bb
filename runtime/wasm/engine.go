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

	"github.com/exgate/exgate/hostabi/manifest"
	"github.com/exgate/exgate/hostabi/sdk/script"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/wasm/internal/suspects"
	"golang.org/x/time/rate"
)

// Config configures an [Engine].
type Config struct {
	// Name is the name of the handler in logs and metrics. It is required.
	Name string

	// Module is the .wasm file. It is required.
	Module []byte

	// GuestConfig is passed to the guest's exproto_v1_init unchanged, or with the script if the module is one of
	// package script. If zero, the guest gets no bytes.
	GuestConfig []byte

	// Unmetered says what to do with a module that cannot be metered. If zero, UnmeteredRefuse.
	Unmetered Unmetered

	// Limits bound each instance. Zero fields take their defaults.
	Limits Limits

	// Isolation is how connections share instances. If zero, IsolationShared.
	Isolation Isolation

	// NoStartImage makes the instance of each connection run the module's start. Instances cloned from an image share
	// the random numbers that the guest drew while it started, such as the seed of Go's math/rand; set it for guests
	// that must not share them. Each connection then pays for the start. If zero, an image is used if the module allows
	// it.
	NoStartImage bool

	// Shards is the number of shared instances; one more is kept ready. If zero, GOMAXPROCS.
	Shards int

	// CacheDir is a folder for compiled code. It is created if it does not exist. Anyone who can write to it can run
	// code as exgate. If zero, compiled code is not kept.
	CacheDir string

	// Logger receives the log of the engine and of the guests. If zero, slog.Default().
	Logger *slog.Logger

	// Metrics is the set of counters to use. If zero, an unregistered set.
	Metrics *Metrics

	// noMetering lets a guest run without limits, for benchmarks.
	noMetering bool
}

// Engine makes the handlers of one guest module.
type Engine struct {
	config  Config
	log     *slog.Logger
	metrics *handlerMetrics
	digest  string
	program *program
	// the module imports save_state: the state of its devices is read when they log in
	keepsState bool
	slow       bool // it interprets a script

	manifest *manifest.Manifest // nil if the module has none

	shards   []*shard     // of shared instances
	spares   *spares      // replacements for shards that lose their instance
	suspects suspects.Set // sources whose connections are kept apart
	apart    [2]*apart    // pools for suspects, and for other connections kept apart
	isolated *isolated    // nil if instances are shared
	template *template    // what instances are cloned from; nil if each runs the module's start
	noImage  string       // why template is nil

	guestLines *rate.Limiter // for the lines of guests outside of shards
	endLines   *rate.Limiter // for lines about the ends of such instances

	stats    stats
	peaks    peaks
	lastConn atomic.Int64  // connection ids are never reused
	next     atomic.Uint32 // where the next search for a shard begins

	starting context.Context // canceled when the engine closes
	stop     context.CancelCauseFunc
	starters sync.WaitGroup
}

var _ gateway.HandlerFactory = (*Engine)(nil)

var errShards = errors.New("the number of shards is negative")

// New loads a guest and starts its shared instances, or one instance to see that it starts. An error says what is wrong
// with the module, or how its start failed.
func New(ctx context.Context, c Config) (*Engine, error) {
	if c.Name == "" || len(c.Module) == 0 {
		return nil, errors.New("a wasm handler needs a name and a module")
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("wasm handler %s: %w", c.Name, err)
	}
	timed := c.Limits.WallTime > 0
	c = c.withDefaults()
	s, slow := script.Of(c.Module)
	if slow {
		c.GuestConfig = s.Config(c.GuestConfig,
			script.Budget{Fuel: c.Limits.Fuel, FuelPerByte: c.Limits.FuelPerByte, StartFuel: c.Limits.StartFuel})
	}
	e := &Engine{
		config: c, log: c.Logger.With("handler", c.Name), metrics: c.Metrics.handler(c.Name), digest: digest(c.Module),
		slow: slow,
	}
	var err error
	if e.manifest, err = readManifest(c); err != nil {
		return nil, fmt.Errorf("loading wasm handler %s: %w", c.Name, err)
	}
	if e.program, err = load(ctx, c, e.log); err != nil {
		return nil, fmt.Errorf("loading wasm handler %s: %w", c.Name, err)
	}
	if timed && e.program.ends == byFuel {
		e.log.Info(
			"limits.wall_time does not apply to this module: it is metered, and fuel, host_calls and send_bytes " +
				"bound its events",
		)
	}
	e.metrics.set.peaks.add(e)
	e.compareLimits()
	e.noImage, e.keepsState = e.program.parts.Whole, e.program.importsSaveState() && (!slow || s.KeepsState())
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
	if _, ok := script.Of(c.Module); ok {
		c.Limits = c.Limits.ofScript()
	}
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

// SettingsHash returns the SHA-256 of the settings. Engines of the same module with the same hash behave alike. Module,
// Logger and Metrics do not count; a zero setting counts as its default.
func (c Config) SettingsHash() [sha256.Size]byte {
	guestConfig := sha256.Sum256(c.GuestConfig)
	c = c.withDefaults()
	c.Module, c.GuestConfig, c.Logger, c.Metrics = nil, nil, nil, nil
	return sha256.Sum256(fmt.Appendf(nil, "%x %+v", guestConfig, c))
}

// start starts the shared instances, or one that is thrown away.
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

// NewHandler makes the handler of a connection, which gets its instance at OnSocketCreated. If instances are shared and
// none is live, the error carries gateway.ReasonHandlerUnavailable.
func (e *Engine) NewHandler(adapter gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	if e.isolated == nil && !e.suspects.Alarm(time.Now()) {
		if _, _, err := e.shared(); err != nil {
			return nil, err
		}
	}
	return &connection{engine: e, id: e.lastConn.Add(1), adapter: adapter}, nil
}

// place returns the instance for a new connection, which is counted as attached.
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
	in, expected, err := e.shared()
	if expected {
		return e.placeApart(c, suspects.Restart)
	}
	if err == nil {
		in.attached.Add(1)
	}
	return in, err
}

// shared returns a shared instance for a new connection. If none is live, it reports whether one is expected, and
// otherwise returns an error.
func (e *Engine) shared() (in *instance, expected bool, err error) {
	if in, err = e.leastUsed(); err == nil {
		return in, false, nil
	}
	if e.spares.expected() {
		return nil, true, nil
	}
	in, err = e.leastUsed() // a shard may have got its instance before the second look
	return in, false, err
}

// placeApart returns an instance that is kept apart from the shards.
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

// leastUsed returns the live shared instance with the fewest connections.
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
	e.metrics.set.peaks.remove(e)
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

// Stats counts the connections of an engine.
type Stats struct {
	Connections uint64 // that have had their first event
	Faults      uint64 // of these, those whose own event faulted, or whose instance could not start
}

type stats struct {
	connections atomic.Uint64
	faults      atomic.Uint64
}

// Stats returns the counts since the engine was made.
func (e *Engine) Stats() Stats {
	faults := e.stats.faults.Load() // read first, so that it never exceeds the connections
	return Stats{Connections: e.stats.connections.Load(), Faults: faults}
}

// Digest returns the SHA-256 of Config.Module in hexadecimal, which names the version of the guest.
func (e *Engine) Digest() string { return e.digest }

// Isolation returns how connections share instances.
func (e *Engine) Isolation() Isolation { return e.config.Isolation }

// StartImage reports whether instances are cloned from an image of one that has started, and if not, why.
func (e *Engine) StartImage() (ok bool, why string) {
	return e.template != nil, e.noImage
}

func digest(module []byte) string {
	sum := sha256.Sum256(module)
	return hex.EncodeToString(sum[:])
}
