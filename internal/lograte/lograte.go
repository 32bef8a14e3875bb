package lograte

import (
	"sync"
	"time"
)

// Interval is the time between two lines about one kind of event.
const Interval = 10 * time.Second

// Limiter allows one line per [Interval]. The zero value is ready to use; its methods may be called from any goroutine.
type Limiter struct {
	mu         sync.Mutex // guards the fields below
	last       time.Time
	suppressed int
}

// Allow reports whether to log an event at now, and how many events since the previous line were suppressed.
func (l *Limiter) Allow(now time.Time) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.last.IsZero() && now.Sub(l.last) < Interval {
		l.suppressed++
		return 0, false
	}
	suppressed, l.last, l.suppressed = l.suppressed, now, 0
	return suppressed, true
}
