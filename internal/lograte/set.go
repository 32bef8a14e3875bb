package lograte

import (
	"hash/maphash"
	"sync"
	"time"
)

// DefaultMost is the number of lines of one kind in an interval, each about a different key.
const DefaultMost = 10

// Set limits how often events of one kind are logged if each has a key, such as a device: one line per key and
// [Interval], and at most Most lines per interval, so that one failing device does not hide the others. The zero value
// is ready to use; its methods may be called from any goroutine.
type Set struct {
	// Most limits the lines per interval. If zero, DefaultMost. It must not change after first use.
	Most int

	mu         sync.Mutex // guards the fields below
	began      time.Time  // when the interval began
	seen       map[uint64]struct{}
	suppressed int
}

var seed = maphash.MakeSeed()

// Allow reports whether to log an event about key at now, and how many events since the previous line were suppressed.
func (s *Set) Allow(key string, now time.Time) (suppressed int, ok bool) {
	most := s.Most
	if most == 0 {
		most = DefaultMost
	}
	about := maphash.String(seed, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil || now.Sub(s.began) >= Interval {
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
