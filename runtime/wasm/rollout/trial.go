package rollout

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"
)

// Canary gives a new version a share of the new connections before it gets all of them.
type Canary struct {
	// Percent is the share of the new connections that get the new version, spread evenly. If zero, 10.
	Percent int

	// After is the minimum duration of the trial. If zero, 10 minutes.
	After time.Duration

	// Connections is the number of connections that the new version must have had before it gets all of them. If zero,
	// Guard.MinConnections.
	Connections int
}

func (c Canary) withDefaults(g Guard) Canary {
	return Canary{
		Percent: cmp.Or(c.Percent, 10), After: cmp.Or(c.After, 10*time.Minute),
		Connections: cmp.Or(c.Connections, g.MinConnections),
	}
}

func (c Canary) check() error {
	if c.Percent < 1 || c.Percent > 99 || c.After < 0 || c.Connections < 0 {
		return fmt.Errorf(
			"a canary takes 1 to 99 percent, and a time and a number that are not negative: not %d percent",
			c.Percent,
		)
	}
	return nil
}

// trial is the time in which a version may be rolled back. Guarded by Module.mu.
type trial struct {
	version *version
	before  *version // serves again if the version fails; nil for a canary
	options SwapOptions
	percent int // of new connections; 0 if the version serves

	began  time.Time
	share  int // the sum of percent since the canary last got a connection
	votes  votes
	timer  *time.Timer
	timeUp bool
}

// takesNext returns the canary if it gets the next connection, and otherwise nil.
func (t *trial) takesNext() *version {
	if t == nil || t.percent == 0 {
		return nil
	}
	if t.share += t.percent; t.share < 100 {
		return nil
	}
	t.share -= 100
	return t.version
}

func (t *trial) stop() {
	if t != nil {
		t.timer.Stop()
	}
}

// begin starts a trial that lasts for d. The caller holds mu.
func (m *Module) begin(t *trial, d time.Duration) {
	m.trial = t
	t.began, t.votes = time.Now(), newVotes()
	m.schedule(t, d)
}

// schedule makes a trial end d after it began. The caller holds mu.
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

// judge ends a trial that has failed or passed. The caller holds mu.
func (m *Module) judge(t *trial) {
	g := t.options.Guard
	switch {
	case t.votes.connections >= g.MinConnections && t.votes.exceed(g.FaultPercent, m.onlySource):
		m.rollBack(t)
	case t.percent > 0 && t.timeUp && t.votes.connections >= t.options.Canary.Connections:
		m.promote(t)
	case t.percent == 0 && t.timeUp:
		m.log.Info("module version stays", "version", t.version.short(), "connections", t.votes.connections, "faults",
			t.votes.faults)
		m.endTrial()
		m.report()
	}
}

// onlySource reports whether no open connection of the module comes from another source. The caller holds mu.
func (m *Module) onlySource(source netip.Prefix) bool {
	for _, v := range m.versions() {
		for h := range v.conns {
			if h.source != source {
				return false
			}
		}
	}
	return true
}

// promote gives a canary all new connections. The caller holds mu.
func (m *Module) promote(t *trial) {
	m.log.Info("module canary has passed", "version", t.version.short(), "connections", t.votes.connections, "faults",
		t.votes.faults)
	m.replaceGuarded(t.version, t.options)
	m.report()
}

// rollBack replaces the version on trial by the previous one. The caller holds mu.
func (m *Module) rollBack(t *trial) {
	m.metrics.rollbacks.WithLabelValues(m.config.Name).Inc()
	bad, next := t.version, t.before
	if next == nil {
		next = m.serving
	}
	m.rolledBack = &Rollback{
		Version: bad.digest, Connections: t.votes.connections, Faults: t.votes.faults, At: time.Now(),
	}
	m.log.Error("module rolled back", "version", bad.short(), "to", next.short(), "connections", t.votes.connections,
		"faults", t.votes.faults, "fault_percent", t.options.Guard.FaultPercent, "sources", len(t.votes.sources),
		"faulting_sources", len(t.votes.faulty))
	m.trial.stop()
	m.trial = nil
	if t.before != nil {
		m.undrain(t.before)
		t.before.state, m.serving = VersionServing, t.before
	}
	m.drain(bad, t.options.DrainTimeout)
	m.report()
}

// changeCanary changes the options of the canary. The caller holds mu.
func (m *Module) changeCanary(o SwapOptions) {
	if o.Canary == nil {
		m.replaceGuarded(m.trial.version, o)
		return
	}
	m.trial.options, m.trial.percent = o, o.Canary.Percent
	m.schedule(m.trial, o.Canary.After)
	m.judge(m.trial)
}

// changeGuard changes the options of the serving version's trial, if there is one. The caller holds mu.
func (m *Module) changeGuard(o SwapOptions) {
	if t := m.trial; t != nil && t.version == m.serving {
		t.options = o
		m.schedule(t, o.Guard.Period)
		m.judge(t)
	}
}

// dropCanary drains the canary, which another version replaces. The caller holds mu.
func (m *Module) dropCanary(timeout time.Duration) {
	t := m.trial
	if t == nil || t.percent == 0 {
		return
	}
	m.endTrial()
	m.drain(t.version, timeout)
}

// endTrial ends the trial. The caller holds mu.
func (m *Module) endTrial() {
	t := m.trial
	t.stop()
	m.trial = nil
	if t != nil && t.before != nil {
		m.freeUnused(t.before)
	}
}
