package rollout

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Canary gives a new version a share of the new connections before it gets all of them.
type Canary struct {
	// Percent of the new connections take the new version, spread evenly. If zero, 10.
	Percent int

	// After is how long the trial lasts at least. If zero, 10 minutes.
	After time.Duration

	// Connections is how many the new version must have been given before it gets all. If zero, Guard.MinConnections.
	Connections int
}

func (c Canary) withDefaults(g Guard) Canary {
	return Canary{Percent: cmp.Or(c.Percent, 10), After: cmp.Or(c.After, 10*time.Minute), Connections: cmp.Or(c.Connections, g.MinConnections)}
}

func (c Canary) check() error {
	if c.Percent < 1 || c.Percent > 99 || c.After < 0 || c.Connections < 0 {
		return fmt.Errorf("a canary takes 1 to 99 percent, and a time and a number that are not negative: not %d percent", c.Percent)
	}
	return nil
}

// Guard takes a new version back where too many of its connections end by a fault of their own (a trap, an exit, a limit), during its trial as a canary
// and for a while after it got all new connections.
type Guard struct {
	// Period is how long the version before is kept ready. If zero, 5 minutes.
	Period time.Duration

	// FaultPercent is how many of 100 connections may fault. If zero, 10. With 100 nothing is taken back.
	FaultPercent int

	// MinConnections is how many connections the version must have been given before it is judged. If zero, 20.
	MinConnections int
}

func (g Guard) withDefaults() Guard {
	return Guard{
		Period: cmp.Or(g.Period, 5*time.Minute), FaultPercent: cmp.Or(g.FaultPercent, 10), MinConnections: cmp.Or(g.MinConnections, 20),
	}
}

func (g Guard) check() error {
	if g.Period < 0 || g.FaultPercent < 0 || g.FaultPercent > 100 || g.MinConnections < 0 {
		return errors.New("a guard needs a period, a percentage and a number that are not negative")
	}
	return nil
}

// trial is the time in which a version may be taken back. Guarded by Module.mu.
type trial struct {
	version *version
	before  *version // what serves again where the version fails; nil for a canary, beside which it still does
	options SwapOptions
	percent int // of new connections; 0 where the version serves

	began       time.Time
	turn        int // sums up percent
	connections int
	faults      int
	timer       *time.Timer
	timeUp      bool
}

// turnOf returns the canary where the next connection is its.
func (t *trial) turnOf() *version {
	if t == nil || t.percent == 0 {
		return nil
	}
	if t.turn += t.percent; t.turn < 100 {
		return nil
	}
	t.turn -= 100
	return t.version
}

func (t *trial) stop() {
	if t != nil {
		t.timer.Stop()
	}
}

// begin starts a trial that lasts for d; the caller holds mu.
func (m *Module) begin(t *trial, d time.Duration) {
	m.trial = t
	t.began = time.Now()
	m.schedule(t, d)
}

// schedule makes a trial last for d from its beginning, whatever it was to last before; the caller holds mu.
func (m *Module) schedule(t *trial, d time.Duration) {
	if t.timer != nil {
		t.timer.Stop()
	}
	t.timeUp = false
	var timer *time.Timer
	timer = time.AfterFunc(max(0, time.Until(t.began.Add(d))), func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.trial == t && t.timer == timer {
			t.timeUp = true
			m.judge(t)
		}
	})
	t.timer = timer
}

// judge ends a trial that has failed or succeeded; the caller holds mu.
func (m *Module) judge(t *trial) {
	g := t.options.Guard
	switch {
	case t.connections >= g.MinConnections && t.faults*100 > g.FaultPercent*t.connections:
		m.rollBack(t)
	case t.percent > 0 && t.timeUp && t.connections >= t.options.Canary.Connections:
		m.promote(t)
	case t.percent == 0 && t.timeUp:
		m.log.Info("module version stays", "version", t.version.short(), "connections", t.connections, "faults", t.faults)
		m.endTrial()
		m.report()
	}
}

// promote gives a canary all new connections; the caller holds mu.
func (m *Module) promote(t *trial) {
	m.log.Info("module canary has passed", "version", t.version.short(), "connections", t.connections, "faults", t.faults)
	m.replaceGuarded(t.version, t.options)
	m.report()
}

// rollBack takes the version on trial back; the caller holds mu.
func (m *Module) rollBack(t *trial) {
	m.metrics.rollbacks.WithLabelValues(m.config.Name).Inc()
	bad, next := t.version, t.before
	if next == nil {
		next = m.serving
	}
	m.rolledBack = &Rollback{Version: bad.digest, Connections: t.connections, Faults: t.faults, At: time.Now()}
	m.log.Error("module rolled back", "version", bad.short(), "to", next.short(), "connections", t.connections, "faults", t.faults,
		"fault_percent", t.options.Guard.FaultPercent)
	m.trial.stop()
	m.trial = nil
	if t.before != nil {
		m.undrain(t.before)
		t.before.state, m.serving = VersionServing, t.before
	}
	m.drain(bad, t.options.DrainTimeout)
	m.report()
}

// retry gives the canary other options; the caller holds mu.
func (m *Module) retry(o SwapOptions) {
	if o.Canary == nil {
		m.replaceGuarded(m.trial.version, o)
		return
	}
	m.trial.options, m.trial.percent = o, o.Canary.Percent
	m.schedule(m.trial, o.Canary.After)
	m.judge(m.trial)
}

// guardAgain gives the trial of the version that serves other options, where there is one; the caller holds mu.
func (m *Module) guardAgain(o SwapOptions) {
	if t := m.trial; t != nil && t.version == m.serving {
		t.options = o
		m.schedule(t, o.Guard.Period)
		m.judge(t)
	}
}

// giveUpCanary drains a canary that something else comes instead of; the caller holds mu.
func (m *Module) giveUpCanary(timeout time.Duration) {
	t := m.trial
	if t == nil || t.percent == 0 {
		return
	}
	m.endTrial()
	m.drain(t.version, timeout)
}

// endTrial forgets the trial; the caller holds mu.
func (m *Module) endTrial() {
	t := m.trial
	t.stop()
	m.trial = nil
	if t != nil && t.before != nil {
		m.freeUnused(t.before)
	}
}
