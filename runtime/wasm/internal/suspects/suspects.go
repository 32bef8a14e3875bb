// Package suspects remembers which sources ended guest instances, and decides which new connections are kept apart from
// the instances that many connections share.
//
// It imports no other package of exgate: its sources are prefixes that the callers get from internal/source. Its only
// lock is Set.mu, a leaf, but for [Set.Inherit], which takes the locks of both sets one after the other.
//
// Begin with [Set.Reason] and [Set.Fault].
package suspects

import (
	"maps"
	"net/netip"
	"sync"
	"time"
)

const (
	suspectFor  = time.Hour        // how long a source is kept apart after the last fault that it caused
	alarmWithin = 10 * time.Minute // two lost shards within this time raise the alarm
	maxSources  = 4096

	// AlarmFor is how long the alarm lasts after the last fault caused by a source that was no suspect.
	AlarmFor = 10 * time.Minute
)

// Set holds the sources that have ended instances. Connections from them are kept apart, and while shards are lost
// again and again, all new connections are. A source that causes another fault then hurts only itself. The zero value
// is empty. All methods are safe for concurrent use.
type Set struct {
	mu sync.Mutex

	// Guarded by mu.
	faults     map[netip.Prefix]time.Time // the last fault of each source
	lastLoss   time.Time                  // of a shard
	alarmUntil time.Time
}

// The reasons to keep a connection apart, as exgate_wasm_connections_apart_total names them.
const (
	None    = ""
	Suspect = "suspect" // an event of its source ended an instance
	Alarm   = "alarm"   // shards keep failing
	Restart = "restart" // no shard has an instance until the next one has started
)

// Reason returns why a new connection from source is to be kept apart, or None.
func (s *Set) Reason(source netip.Prefix, now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.suspected(source, now):
		return Suspect
	case now.Before(s.alarmUntil):
		return Alarm
	}
	return None
}

// Alarm reports whether all new connections are kept apart.
func (s *Set) Alarm(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.alarmUntil)
}

// suspected reports whether source has caused a fault within suspectFor. The caller holds mu.
func (s *Set) suspected(source netip.Prefix, now time.Time) bool {
	last, ok := s.faults[source]
	return ok && now.Sub(last) < suspectFor
}

// Fault records that an event of source ended an instance; shard says whether it was a shared one. It reports whether
// that raised the alarm.
func (s *Set) Fault(source netip.Prefix, shard bool, now time.Time) (raised bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	alarm, known := now.Before(s.alarmUntil), s.suspected(source, now)
	s.remember(source, now)
	if shard {
		raised = !alarm && !s.lastLoss.IsZero() && now.Sub(s.lastLoss) < alarmWithin
		s.lastLoss = now
	}
	if raised || alarm && (shard || !known) {
		s.alarmUntil = now.Add(AlarmFor)
	}
	return raised
}

// Inherit adds the sources that other suspects at now, so that a source which ended instances of one version of a
// module is still known to the next. It does not copy the alarm.
func (s *Set) Inherit(other *Set, now time.Time) {
	other.mu.Lock()
	known := maps.Clone(other.faults)
	other.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for source, last := range known {
		if now.Sub(last) < suspectFor {
			s.remember(source, last)
		}
	}
}

// remember records a fault of source at now. If the set is full, it forgets the oldest of a few other sources. The
// caller holds mu.
func (s *Set) remember(source netip.Prefix, now time.Time) {
	if s.faults == nil {
		s.faults = make(map[netip.Prefix]time.Time)
	}
	if _, ok := s.faults[source]; !ok && len(s.faults) >= maxSources {
		delete(s.faults, s.oldestOfSome())
	}
	s.faults[source] = now
}

func (s *Set) oldestOfSome() (oldest netip.Prefix) {
	n := 16
	for source, last := range s.faults { // in random order
		if !oldest.IsValid() || last.Before(s.faults[oldest]) {
			oldest = source
		}
		if n--; n == 0 {
			break
		}
	}
	return oldest
}
