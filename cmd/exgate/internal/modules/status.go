package modules

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/exgate/exgate/runtime/wasm/rollout"
	"github.com/prometheus/client_golang/prometheus"
)

// State is the state of the files of a module.
type State string

// The states.
const (
	Waiting  State = "waiting"  // a file is missing
	Loading  State = "loading"  // being compiled and tested
	Loaded   State = "loaded"   // swapped in
	Rejected State = "rejected" // invalid; nothing was changed
	Removed  State = "removed"  // no longer there

	// RolledBack files were swapped in and rolled back because the guest faulted.
	RolledBack State = "rolled_back"
)

var states = []State{Waiting, Loading, Loaded, Rejected, Removed}

// Status describes a module of the folder.
type Status struct {
	Name     string
	Digest   string // SHA-256 of the .wasm file, in hex; empty if it was not read
	State    State  // of the files
	Reason   string // why the files are rejected or waiting
	Since    time.Time
	Listener net.Addr       // address of its own listener, or nil
	Kind     string         // type of that listener: tcp, tls, udp or dtls
	Module   rollout.Status // the active module

	module *rollout.Module
}

// List returns the modules, sorted by name.
func (f *Folder) List() []Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]Status, 0, len(f.state))
	for _, s := range f.state {
		list = append(list, s.now())
	}
	slices.SortFunc(list, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// now returns s with the current status of the module.
func (s Status) now() Status {
	if s.module == nil {
		return s
	}
	s.Module = s.module.Status()
	back := s.Module.RolledBack
	if s.State == Loaded && back != nil && back.At.After(s.Since) && back.Version == s.Digest {
		s.State, s.Since = RolledBack, back.At
		s.Reason = fmt.Sprintf("%d of %d connections ended by a fault of the guest", back.Faults, back.Connections)
	}
	return s
}

// Find returns the status of the module name, and whether such a module exists or existed.
func (f *Folder) Find(name string) (Status, bool) {
	for _, s := range f.List() {
		if s.Name == name {
			return s, true
		}
	}
	return Status{}, false
}

// publish makes the state of the entry visible in List and in the metrics.
func (e *entry) publish(state State, reason string) {
	s := Status{Name: e.name, Digest: e.digest, State: state, Reason: reason, Since: time.Now(), module: e.module}
	if e.listener != nil {
		s.Listener, s.Kind = e.listener.at, e.listener.settings.Listener.Kind()
	}
	e.folder.mu.Lock()
	e.folder.state[e.name] = s
	e.folder.mu.Unlock()
	e.folder.config.Metrics.setState(e.name, state)
}

// forget removes an entry that never was a module.
func (e *entry) forget() {
	e.forgotten = true
	e.folder.mu.Lock()
	delete(e.folder.state, e.name)
	e.folder.mu.Unlock()
	e.folder.config.Metrics.files.DeletePartialMatch(prometheus.Labels{"module": label(e.name)})
}

// Metrics counts the states of files.
type Metrics struct {
	files    *prometheus.GaugeVec
	rejected *prometheus.CounterVec
}

// NewMetrics returns a set registered with reg, or an unregistered one if reg is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		files: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "exgate_wasm_module_file",
			Help: "1 for the state of each module's files: waiting, loading, loaded, rejected or removed.",
		}, []string{"module", "state"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_wasm_module_rejected_total",
			Help: "Module files that were rejected.",
		}, []string{"module"}),
	}
	if reg != nil {
		reg.MustRegister(m.files, m.rejected)
	}
	return m
}

// label returns the metric label of a module. Labels must be UTF-8; file names need not be.
func label(module string) string {
	if utf8.ValidString(module) {
		return module
	}
	return strconv.Quote(module)
}

func (m *Metrics) reject(module string) { m.rejected.WithLabelValues(label(module)).Inc() }

func (m *Metrics) setState(module string, state State) {
	module = label(module)
	for _, s := range states {
		if s != state {
			m.files.DeleteLabelValues(module, string(s))
		}
	}
	m.files.WithLabelValues(module, string(state)).Set(1)
}
