package gateway

import (
	"sync"
	"time"
)

// outageInterval is how often a log says that the upstream cannot be reached: devices that come back again and again would fill it.
const outageInterval = 10 * time.Second

// outageLog bounds what is logged of an upstream that cannot be reached.
type outageLog struct {
	mu     sync.Mutex // guards the fields below
	last   time.Time
	silent int // failures since then
}

// turn reports whether the failure is to be logged, and how many before it were not.
func (l *outageLog) turn(now time.Time) (silent int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.last.IsZero() && now.Sub(l.last) < outageInterval {
		l.silent++
		return 0, false
	}
	silent, l.last, l.silent = l.silent, now, 0
	return silent, true
}
