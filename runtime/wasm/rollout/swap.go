package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/exgate/exgate/runtime/wasm"
)

// SwapOptions say how a new version replaces the serving one.
type SwapOptions struct {
	// DrainTimeout is how long connections of the previous version may stay. If zero, 10 minutes.
	DrainTimeout time.Duration

	// Canary gives the new version a share of the new connections first. If nil, it gets all of them at once.
	Canary *Canary

	// Guard rolls the new version back if it fails. Zero fields take their defaults.
	Guard Guard
}

const defaultDrainTimeout = 10 * time.Minute

func (o SwapOptions) withDefaults() (SwapOptions, error) {
	o.DrainTimeout = cmp.Or(o.DrainTimeout, defaultDrainTimeout)
	if o.DrainTimeout < 0 {
		return o, errors.New("the drain timeout is negative")
	}
	o.Guard = o.Guard.withDefaults()
	if o.Canary == nil {
		return o, o.Guard.check()
	}
	c := o.Canary.withDefaults(o.Guard)
	o.Canary = &c
	return o, errors.Join(o.Guard.check(), c.check())
}

var errClosed = errors.New("the module is closed")

// Swap makes the guest of c the version for new connections, at once or after a trial. It loads, starts and smoke-tests
// the guest first; an error changes nothing. Name, CacheDir, Logger and Metrics of c are replaced by the module's.
//
// A guest that the module still has is not loaded again. A draining one serves again at once and without a trial: this
// is how an operator rolls a version back. For the serving version and the one on trial only the options change: the
// trial and the draining last as long as the new options say, counted from when they began.
func (m *Module) Swap(ctx context.Context, c wasm.Config, o SwapOptions) error {
	o, err := o.withDefaults()
	if err != nil {
		return fmt.Errorf("module %s: %w", m.config.Name, err)
	}
	m.loading.Lock()
	defer m.loading.Unlock()
	c = m.settings(c)
	if done, err := m.reuse(idOf(c), o); done {
		return err
	}
	engine, err := wasm.New(ctx, c)
	if err != nil {
		return err
	}
	if err := smokeTest(engine); err != nil {
		return errors.Join(fmt.Errorf("wasm handler %s: %w", m.config.Name, err), engine.Close(ctx))
	}
	m.inheritSuspects(engine)
	if !m.install(newVersion(c, engine), o) {
		return errors.Join(errClosed, engine.Close(ctx))
	}
	return nil
}

// inheritSuspects makes a new engine keep the sources apart that have ended instances of the serving version.
func (m *Module) inheritSuspects(next *wasm.Engine) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.serving != nil {
		next.InheritSuspects(m.serving.engine)
	}
}

// reuse activates a version that is already loaded, if there is one with this id.
func (m *Module) reuse(id versionID, o SwapOptions) (done bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return true, errClosed
	}
	i := slices.IndexFunc(m.versions(), func(v *version) bool { return v.id == id })
	if i < 0 {
		return false, nil
	}
	for _, v := range m.draining {
		m.drainFor(v, o.DrainTimeout)
	}
	switch v := m.versions()[i]; v.state {
	case VersionCanary:
		m.changeCanary(o)
	case VersionServing:
		m.dropCanary(o.DrainTimeout)
		m.changeGuard(o)
	default:
		m.undrain(v)
		m.dropCanary(o.DrainTimeout)
		m.replace(v, o.DrainTimeout)
	}
	m.report()
	return true, nil
}

// install activates a new version. It reports false if the module is closed.
func (m *Module) install(v *version, o SwapOptions) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.dropCanary(o.DrainTimeout)
	switch {
	case m.serving == nil:
		m.replace(v, o.DrainTimeout)
	case o.Canary != nil:
		m.endTrial()
		v.state = VersionCanary
		m.begin(&trial{version: v, options: o, percent: o.Canary.Percent}, o.Canary.After)
		m.log.Info("module canary begins", "version", v.short(), "settings", v.settings(), "percent", o.Canary.Percent,
			"serving", m.serving.short())
	default:
		m.replaceGuarded(v, o)
	}
	m.report()
	return true
}

// replace makes v the serving version. The caller holds mu.
func (m *Module) replace(v *version, timeout time.Duration) {
	before := m.serving
	v.state, m.serving = VersionServing, v
	m.metrics.swaps.WithLabelValues(m.config.Name).Inc()
	m.endTrial()
	if before == nil {
		m.log.Info("module serves", "version", v.short(), "settings", v.settings())
		return
	}
	m.log.Info("module swapped", "version", v.short(), "settings", v.settings(), "before", before.short())
	m.drain(before, timeout)
}

// replaceGuarded makes v the serving version, and keeps the previous one ready while the guard lasts. The caller holds
// mu.
func (m *Module) replaceGuarded(v *version, o SwapOptions) {
	before := m.serving
	v.state, m.serving = VersionServing, v
	m.metrics.swaps.WithLabelValues(m.config.Name).Inc()
	m.log.Info("module swapped", "version", v.short(), "settings", v.settings(), "before", before.short(), "guard",
		o.Guard.Period.String())
	m.endTrial()
	m.begin(&trial{version: v, before: before, options: o}, o.Guard.Period)
	m.drain(before, o.DrainTimeout)
}

// Remove leaves the module without a version. New connections are refused; open ones may stay for timeout. If timeout
// is zero, 10 minutes.
func (m *Module) Remove(timeout time.Duration) {
	timeout = cmp.Or(timeout, defaultDrainTimeout)
	m.loading.Lock()
	defer m.loading.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.dropCanary(timeout)
	m.endTrial()
	if v := m.serving; v != nil {
		m.serving = nil
		m.drain(v, timeout)
	}
	m.report()
}
