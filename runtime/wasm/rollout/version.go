package rollout

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/wasm"
)

// VersionState says what a version of a [Module] is used for.
type VersionState string

// The states of versions.
const (
	VersionServing  VersionState = "serving"  // takes new connections
	VersionCanary   VersionState = "canary"   // takes a share of them
	VersionDraining VersionState = "draining" // keeps those that it has
	VersionWarm     VersionState = "warm"     // has none, and is kept in case that the version that serves has to be rolled back
)

// shortDigest is how much of a digest logs and metric labels have.
const shortDigest = 12

// shortSettings is as much as tells the settings of a few versions apart.
const shortSettings = 8

// version is a guest that a module has loaded. Its fields are guarded by Module.mu.
type version struct {
	engine *wasm.Engine
	id     versionID
	digest string // SHA-256 of the file, in hex
	loaded time.Time
	state  VersionState
	conns  map[*conn]struct{}
	served uint64 // connections
	faults uint64 // connections that a fault of their own ended

	timer   *time.Timer // ends the draining
	drained time.Time   // when that began
	until   time.Time   // when it ends
	ended   bool        // its connections are being closed
}

func (v *version) short() string { return v.digest[:shortDigest] }

func (v *version) takesNew() bool { return v.state == VersionServing || v.state == VersionCanary }

func (v *version) stop() {
	if v.timer != nil {
		v.timer.Stop()
	}
	v.timer, v.until = nil, time.Time{}
}

// settings returns c with what belongs to all versions of the module.
func (m *Module) settings(c wasm.Config) wasm.Config {
	c.Name, c.CacheDir, c.Logger, c.Metrics = m.config.Name, m.config.CacheDir, m.config.Logger, m.config.Guests
	return c
}

func newVersion(c wasm.Config, e *wasm.Engine) *version {
	return &version{engine: e, id: idOf(c), digest: e.Digest(), loaded: time.Now(), conns: make(map[*conn]struct{})}
}

// versionID tells apart what behaves differently: the file, and all that is set for it.
type versionID struct{ module, settings [sha256.Size]byte }

func idOf(c wasm.Config) versionID {
	return versionID{module: sha256.Sum256(c.Module), settings: c.SettingsHash()}
}

// settings names what is set for the version.
func (v *version) settings() string { return hex.EncodeToString(v.id.settings[:])[:shortSettings] }

// versions are all that are there, newest first; the caller holds mu.
func (m *Module) versions() []*version {
	var all []*version
	if m.trial != nil && m.trial.version != m.serving {
		all = append(all, m.trial.version)
	}
	if m.serving != nil {
		all = append(all, m.serving)
	}
	for _, v := range slices.Backward(m.draining) {
		all = append(all, v)
	}
	return all
}

// maxDraining is how many versions may have connections beside those that take new ones. Beyond it the oldest ends at once.
const maxDraining = 8

// drain makes v keep what it has, for at most timeout; the caller holds mu.
func (m *Module) drain(v *version, timeout time.Duration) {
	v.state, v.drained = VersionDraining, time.Now()
	m.drainFor(v, timeout)
	m.draining = append(m.draining, v)
	m.log.Info("module version drains", "version", v.short(), "connections", len(v.conns), "drain_timeout", timeout.String())
	conns := slices.Collect(maps.Keys(v.conns))
	m.tasks.Go(func() { postDrain(conns) })
	m.freeUnused(v)
	m.endOldest()
}

// drainFor ends what v keeps when it has drained for timeout; the caller holds mu.
func (m *Module) drainFor(v *version, timeout time.Duration) {
	v.stop()
	v.until = v.drained.Add(timeout)
	var timer *time.Timer
	timer = time.AfterFunc(max(0, time.Until(v.until)), func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if v.timer == timer {
			m.end(v, "its drain timeout has passed")
		}
	})
	v.timer = timer
}

func (m *Module) endOldest() {
	live := 0
	for _, v := range slices.Backward(m.draining) {
		if v.ended || len(v.conns) == 0 {
			continue
		}
		if live++; live > maxDraining {
			m.end(v, "too many versions drain")
		}
	}
}

// undrain takes v out of those that drain; the caller holds mu.
func (m *Module) undrain(v *version) {
	m.draining = slices.DeleteFunc(m.draining, func(other *version) bool { return other == v })
	v.stop()
	v.ended = false
}

// end closes the connections of a draining version; the caller holds mu.
func (m *Module) end(v *version, why string) {
	if m.closed || v.ended || v.takesNew() {
		return
	}
	v.ended = true
	conns := slices.Collect(maps.Keys(v.conns))
	if len(conns) > 0 {
		m.log.Warn("module version ends its connections", "version", v.short(), "connections", len(conns), "why", why)
	}
	m.tasks.Go(func() {
		for _, h := range conns {
			h.adapter.Close(gateway.ReasonModuleDrained.With("module %s has a newer version, and %s", m.config.Name, why))
		}
	})
}

// freeUnused closes a draining version that nobody needs any longer; the caller holds mu.
func (m *Module) freeUnused(v *version) {
	if len(v.conns) > 0 || v.takesNew() || m.closed {
		return
	}
	if m.trial != nil && m.trial.before == v {
		v.state = VersionWarm
		m.report()
		return
	}
	i := slices.Index(m.draining, v)
	if i < 0 {
		return
	}
	m.draining = slices.Delete(m.draining, i, i+1)
	v.stop()
	m.forgetVersion(v)
	m.report()
	m.tasks.Go(func() {
		if err := v.engine.Close(context.Background()); err != nil {
			m.log.Error("closing a module version", "version", v.short(), "error", err)
			return
		}
		m.log.Info("module version closed", "version", v.short(), "served", v.served)
	})
}
