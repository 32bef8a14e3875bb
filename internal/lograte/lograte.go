package lograte

import (
	"sync"
	"time"
)

// DefaultInterval is the time between two lines about one kind of event.
const DefaultInterval = 10 * time.Second

// Limiter allows one line per interval. The zero value is ready to use; its methods may be called from any goroutine.
type Limiter struct {
	// Interval is the time between two lines. If zero, DefaultInterval. It must not change after first use.
	Interval time.Duration

	mu         sync.Mutex // guards the fields below
	last       time.Time
	suppressed int
}

// Allow reports whether to log an event at now, and how many events since the previous line were suppressed.
func (l *Limiter) Allow(now time.Time) (suppressed int, ok bool) {
	interval := l.Interval
	if interval == 0 {
		interval = DefaultInterval
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.last.IsZero() && now.Sub(l.last) < interval {
		l.suppressed++
		return 0, false
	}
	suppressed, l.last, l.suppressed = l.suppressed, now, 0
	return suppressed, true
}
