package target

import (
	"sync"
	"time"
)

// failureLogInterval is the least time between two log lines of one reason.
const failureLogInterval = 10 * time.Second

// failureLog writes a line for the first failure of each reason and then at most one an interval: a handler that is down fails every device.
type failureLog struct {
	mu   sync.Mutex // guards seen
	seen map[uint16]*seenFailure
}

type seenFailure struct {
	logged     time.Time
	suppressed int
}

// admit says whether to log now, and how many were not since the last line.
func (l *failureLog) admit(code uint16) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = make(map[uint16]*seenFailure)
	}
	s := l.seen[code]
	if s == nil {
		l.seen[code] = &seenFailure{logged: time.Now()}
		return 0, true
	}
	if time.Since(s.logged) < failureLogInterval {
		s.suppressed++
		return 0, false
	}
	suppressed = s.suppressed
	s.logged, s.suppressed = time.Now(), 0
	return suppressed, true
}
