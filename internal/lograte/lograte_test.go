package lograte

import (
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	var l Limiter
	start := time.Now()
	for _, c := range []struct {
		at         time.Duration
		suppressed int
		ok         bool
	}{
		{0, 0, true},
		{time.Second, 0, false},
		{Interval - 1, 0, false},
		{Interval, 2, true},
		{Interval + 1, 0, false},
		{10 * Interval, 1, true},
	} {
		if suppressed, ok := l.Allow(start.Add(c.at)); suppressed != c.suppressed || ok != c.ok {
			t.Errorf("after %v: got %d suppressed, %v; want %d, %v", c.at, suppressed, ok, c.suppressed, c.ok)
		}
	}
}
