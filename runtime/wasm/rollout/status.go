package rollout

import "time"

// Status describes a [Module].
type Status struct {
	Name     string
	Versions []VersionStatus // newest first
	// RolledBack is the last version that was rolled back, or nil.
	RolledBack *Rollback
}

// VersionStatus describes a version of a module.
type VersionStatus struct {
	Digest      string // SHA-256 of the .wasm file, in hex
	Settings    string // hash of the settings, which distinguishes versions of one file
	State       VersionState
	Percent     int // of new connections
	Loaded      time.Time
	Connections int       // now
	Served      uint64    // connections so far
	Faults      uint64    // those of them that a fault of their own ended
	DrainsUntil time.Time // when its connections are closed; zero if it does not drain
}

// Rollback describes a version that was rolled back.
type Rollback struct {
	Version     string // SHA-256 of the .wasm file, in hex
	Connections int    // during its trial
	Faults      int    // those of them that a fault of their own ended
	At          time.Time
}

// Status returns the current status.
func (m *Module) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Status{Name: m.config.Name, RolledBack: m.rolledBack}
	for _, v := range m.versions() {
		s.Versions = append(s.Versions, VersionStatus{
			Digest: v.digest, Settings: v.settings(), State: v.state, Percent: m.percent(v), Loaded: v.loaded,
			Connections: len(v.conns), Served: v.served,
			Faults: v.faults, DrainsUntil: v.until,
		})
	}
	return s
}

// percent returns v's share of the new connections. The caller holds mu.
func (m *Module) percent(v *version) int {
	canary := 0
	if m.trial != nil {
		canary = m.trial.percent
	}
	switch v.state {
	case VersionCanary:
		return canary
	case VersionServing:
		return 100 - canary
	}
	return 0
}

// Serving returns the digest of the serving version, or "" if there is none.
func (m *Module) Serving() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.serving == nil {
		return ""
	}
	return m.serving.digest
}
