package lograte

import (
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	for _, interval := range []time.Duration{0, time.Minute} {
		l := Limiter{Interval: interval}
		if interval == 0 {
			interval = DefaultInterval
		}
		start := time.Now()
		for _, c := range []struct {
			at         time.Duration
			suppressed int
			ok         bool
		}{
			{0, 0, true},
			{time.Second, 0, false},
			{interval - 1, 0, false},
			{interval, 2, true},
			{interval + 1, 0, false},
			{10 * interval, 1, true},
		} {
			if suppressed, ok := l.Allow(start.Add(c.at)); suppressed != c.suppressed || ok != c.ok {
				t.Errorf("interval %v, after %v: got %d suppressed, %v; want %d, %v", interval, c.at, suppressed, ok,
					c.suppressed, c.ok)
			}
		}
	}
}
