package rollout

import "time"

// Status is what a [Module] has at one time.
type Status struct {
	Name     string
	Versions []VersionStatus // newest first
	// RolledBack is the version that was taken back last, nil where none was.
	RolledBack *Rollback
}

// VersionStatus is one version of a module.
type VersionStatus struct {
	Digest      string // SHA-256 of the .wasm file, in hex
	Settings    string // tells versions of one file apart by what is set for them
	State       VersionState
	Percent     int // of new connections
	Loaded      time.Time
	Connections int       // now
	Served      uint64    // connections so far
	Faults      uint64    // of them, those that a fault of their own ended
	DrainsUntil time.Time // when its connections are closed; zero where it takes new ones
}

// Rollback is a version that was taken back.
type Rollback struct {
	Version     string // SHA-256 of the .wasm file, in hex
	Connections int    // that it was given in its trial
	Faults      int    // of them, those that a fault of their own ended
	At          time.Time
}

// Status returns what is there now.
func (m *Module) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Status{Name: m.config.Name, RolledBack: m.rolledBack}
	for _, v := range m.versions() {
		s.Versions = append(s.Versions, VersionStatus{
			Digest: v.digest, Settings: v.settings(), State: v.state, Percent: m.percent(v), Loaded: v.loaded, Connections: len(v.conns), Served: v.served,
			Faults: v.faults, DrainsUntil: v.until,
		})
	}
	return s
}

// percent is v's share of the new connections; the caller holds mu.
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

// Serving is the digest of the version that serves, empty where there is none.
func (m *Module) Serving() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.serving == nil {
		return ""
	}
	return m.serving.digest
}
