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

// VersionState is what a version of a [Module] is used for.
type VersionState string

// The states of versions.
const (
	VersionServing  VersionState = "serving"  // takes new connections
	VersionCanary   VersionState = "canary"   // takes a share of them
	VersionDraining VersionState = "draining" // keeps its connections
	VersionWarm     VersionState = "warm"     // has no connections; kept ready for a rollback
)

// shortDigest is the length of digests in logs and metric labels.
const shortDigest = 12

// shortSettings is the length of settings hashes in logs: enough to distinguish a few versions.
const shortSettings = 8

// version is a loaded guest. Guarded by Module.mu.
type version struct {
	engine *wasm.Engine
	id     versionID
	digest string // SHA-256 of the file, in hex
	loaded time.Time
	state  VersionState
	conns  map[*conn]struct{}
	served uint64 // connections so far
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

// settings returns c with the fields that all versions of the module share.
func (m *Module) settings(c wasm.Config) wasm.Config {
	c.Name, c.CacheDir, c.Logger, c.Metrics = m.config.Name, m.config.CacheDir, m.config.Logger, m.config.Guests
	return c
}

func newVersion(c wasm.Config, e *wasm.Engine) *version {
	return &version{engine: e, id: idOf(c), digest: e.Digest(), loaded: time.Now(), conns: make(map[*conn]struct{})}
}

// versionID identifies a version: its file and its settings.
type versionID struct{ module, settings [sha256.Size]byte }

func idOf(c wasm.Config) versionID {
	return versionID{module: sha256.Sum256(c.Module), settings: c.SettingsHash()}
}

// settings returns the version's settings hash, shortened.
func (v *version) settings() string { return hex.EncodeToString(v.id.settings[:])[:shortSettings] }

// versions returns all versions, newest first. The caller holds mu.
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

// maxDraining is the number of draining versions that may have connections. Beyond it, the oldest ends at once.
const maxDraining = 8

// drain lets v keep its connections for at most timeout. The caller holds mu.
func (m *Module) drain(v *version, timeout time.Duration) {
	v.state, v.drained = VersionDraining, time.Now()
	m.drainFor(v, timeout)
	m.draining = append(m.draining, v)
	m.log.Info("module version drains", "version", v.short(), "connections", len(v.conns), "drain_timeout",
		timeout.String())
	conns := slices.Collect(maps.Keys(v.conns))
	m.tasks.Go(func() { postDrain(conns) })
	m.freeUnused(v)
	m.endOldest()
}

// drainFor ends the connections of v once it has drained for timeout. The caller holds mu.
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

// undrain removes v from the draining versions. The caller holds mu.
func (m *Module) undrain(v *version) {
	m.draining = slices.DeleteFunc(m.draining, func(other *version) bool { return other == v })
	v.stop()
	v.ended = false
}

// end closes the connections of a draining version. The caller holds mu.
func (m *Module) end(v *version, why string) {
	if m.closed || v.ended || v.takesNew() {
		return
	}
	v.ended = true
	conns := slices.Collect(maps.Keys(v.conns))
	if len(conns) > 0 {
		m.log.Warn("closing the connections of a module version",
			"version", v.short(), "connections", len(conns), "why", why)
	}
	m.tasks.Go(func() {
		for _, h := range conns {
			h.adapter.Close(
				gateway.ReasonModuleDrained.With("module %s has a newer version, and %s", m.config.Name, why),
			)
		}
	})
}

// freeUnused closes a draining version that is no longer needed. The caller holds mu.
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
