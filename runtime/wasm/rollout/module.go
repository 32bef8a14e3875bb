package rollout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/wasm"
)

// Config configures a [Module].
type Config struct {
	// Name is the name of the module in logs and metrics. It is required.
	Name string

	// CacheDir is the folder for compiled code; see wasm.Config. If zero, compiled code is not kept.
	CacheDir string

	// Logger receives the log of the module, its engines and guests. If zero, slog.Default().
	Logger *slog.Logger

	// Guests is the set of counters for guests. If zero, an unregistered set.
	Guests *wasm.Metrics

	// Metrics is the set of counters for versions. If zero, an unregistered set.
	Metrics *Metrics
}

// Module makes the handlers of a guest whose version changes while devices are connected. A version is a [wasm.Engine],
// identified by the SHA-256 of its .wasm file. New connections get the serving version, and a share of them the one on
// trial. Connections of an older version keep it until they close, or until its drain timeout closes them with
// gateway.ReasonModuleDrained.
//
// A module without a version refuses connections with gateway.ReasonHandlerUnavailable.
type Module struct {
	config  Config
	log     *slog.Logger
	metrics *Metrics

	loading sync.Mutex // held while a version is compiled and installed

	mu       sync.Mutex // guards the fields below
	serving  *version   // nil if none
	trial    *trial     // of a canary or of the serving version; nil if none
	draining []*version // oldest first
	closed   bool

	rolledBack *Rollback // the last one; nil if none

	tasks sync.WaitGroup // background work
}

var _ gateway.HandlerFactory = (*Module)(nil)

// New creates a module without a version.
func New(c Config) (*Module, error) {
	if c.Name == "" {
		return nil, errors.New("a module needs a name")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Guests == nil {
		c.Guests = wasm.NewMetrics(nil)
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	return &Module{config: c, log: c.Logger.With("module", c.Name), metrics: c.Metrics}, nil
}

// Name returns the name of the module.
func (m *Module) Name() string { return m.config.Name }

// NewHandler gives the connection to the serving version or to the one on trial.
func (m *Module) NewHandler(adapter gateway.ConnectionAdapter) (gateway.ConnectionHandler, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, err := m.pick()
	if err != nil {
		return nil, err
	}
	h := &conn{module: m, adapter: adapter, version: v}
	h.handler, err = v.engine.NewHandler(adapter)
	return h, err
}

// pick chooses the version of a new connection. The caller holds mu.
func (m *Module) pick() (*version, error) {
	if v := m.trial.takesNext(); v != nil {
		return v, nil
	}
	if m.serving == nil {
		err := fmt.Errorf("module %s has no serving version", m.config.Name)
		return nil, &gateway.HandlerError{Reason: gateway.ReasonHandlerUnavailable, Err: err}
	}
	return m.serving, nil
}

// admit attaches h to its version, or to another one if that takes no new connections any more.
func (m *Module) admit(h *conn) (err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !h.version.takesNew() {
		if h.version, err = m.pick(); err != nil {
			return err
		}
		if h.handler, err = h.version.engine.NewHandler(h.adapter); err != nil {
			return err
		}
	}
	h.admitted = true
	h.version.conns[h] = struct{}{}
	h.version.served++
	m.metrics.connected(m.config.Name, h.version, 1)
	if m.trial != nil && m.trial.version == h.version {
		h.trial = m.trial
		h.trial.votes.connected(h.source)
		m.judge(h.trial)
	}
	return nil
}

// leave detaches a connection.
func (m *Module) leave(h *conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(h.version.conns, h)
	m.metrics.connected(m.config.Name, h.version, -1)
	m.freeUnused(h.version)
}

// faulted counts a connection that a fault of its own ended.
func (m *Module) faulted(h *conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h.version.faults++
	m.metrics.faults.WithLabelValues(m.config.Name, h.version.short()).Inc()
	if h.trial != nil && h.trial == m.trial {
		h.trial.votes.faulted(h.source)
		m.judge(h.trial)
	}
}

// Close closes all versions. All connections must have ended.
func (m *Module) Close(ctx context.Context) error {
	m.loading.Lock()
	defer m.loading.Unlock()
	m.mu.Lock()
	m.closed = true
	m.trial.stop()
	all := m.versions()
	m.serving, m.trial, m.draining = nil, nil, nil
	m.metrics.forget(m.config.Name)
	m.mu.Unlock()
	m.tasks.Wait()
	var errs []error
	for _, v := range all {
		v.stop()
		errs = append(errs, v.engine.Close(ctx))
	}
	return errors.Join(errs...)
}
