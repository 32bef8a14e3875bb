package lograte

import (
	"hash/maphash"
	"sync"
	"time"
)

// DefaultMost is how many lines of one kind there are in an interval, each about something else.
const DefaultMost = 10

// Set bounds how often events of one kind are logged when each is about something, such as a device: one line about
// each in an interval, and not more than Most lines, so that one that fails again and again does not hide the others.
// The zero value is ready to use; its methods may be called from any goroutine.
type Set struct {
	// Interval is the time in which there is one line about each. If zero, DefaultInterval. It must not change after
	// first use.
	Interval time.Duration
	// Most bounds the lines in an interval. If zero, DefaultMost. It must not change after first use.
	Most int

	mu         sync.Mutex // guards the fields below
	began      time.Time  // the interval
	seen       map[uint64]struct{}
	suppressed int
}

var seed = maphash.MakeSeed()

// Allow reports whether an event about key at now is to be logged, and how many events since the previous line were
// not.
func (s *Set) Allow(key string, now time.Time) (suppressed int, ok bool) {
	interval, most := s.Interval, s.Most
	if interval == 0 {
		interval = DefaultInterval
	}
	if most == 0 {
		most = DefaultMost
	}
	about := maphash.String(seed, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil || now.Sub(s.began) >= interval {
		s.seen, s.began = make(map[uint64]struct{}), now
	}
	if _, again := s.seen[about]; again || len(s.seen) >= most {
		s.suppressed++
		return 0, false
	}
	s.seen[about] = struct{}{}
	suppressed, s.suppressed = s.suppressed, 0
	return suppressed, true
}
