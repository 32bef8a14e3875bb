// Package suspects remembers which sources ended guest instances.
package suspects

import (
	"maps"
	"net/netip"
	"sync"
	"time"
)

const (
	suspectFor  = time.Hour        // how long a source whose event ended an instance is set apart, since the last time
	alarmWithin = 10 * time.Minute // two lost shards within this time raise the alarm
	AlarmFor    = 10 * time.Minute // how long the alarm lasts after the last fault that a source not yet suspected caused
	maxSources  = 4096
)

// Set remembers which sources ended instances, and says which new connections are kept away from the shards: those of such a source and, while
// shards are lost again and again, all of them. A source that does the same again then hurts itself alone.
type Set struct {
	mu sync.Mutex

	// Guarded by mu.
	faults     map[netip.Prefix]time.Time // the last of each source
	lastLoss   time.Time                  // of a shard
	alarmUntil time.Time
}

// Why a connection is set apart, in exgate_wasm_connections_apart_total.
const (
	None    = ""
	Suspect = "suspect" // an event of its source ended an instance
	Alarm   = "alarm"   // instances are lost again and again
	Restart = "restart" // no shard has an instance until the next has started
)

// Reason says why a new connection of a source is to be set apart.
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

// Alarm reports whether all new connections are set apart.
func (s *Set) Alarm(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.alarmUntil)
}

// suspected requires mu.
func (s *Set) suspected(source netip.Prefix, now time.Time) bool {
	last, ok := s.faults[source]
	return ok && now.Sub(last) < suspectFor
}

// Fault notes that an event of source ended an instance, of a shard or one apart. It reports whether that raised the alarm.
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

// Inherit takes over the sources that other has at now, so that a device which ended instances of one version of a module does not begin anew with the
// next. The alarm stays with the version.
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

// remember requires mu. Beyond maxSources it forgets the oldest of a few sources.
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
	for source, last := range s.faults { // in no order
		if !oldest.IsValid() || last.Before(s.faults[oldest]) {
			oldest = source
		}
		if n--; n == 0 {
			break
		}
	}
	return oldest
}
