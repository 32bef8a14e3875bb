package lograte

import (
	"fmt"
	"testing"
	"time"
)

func TestSet(t *testing.T) {
	s := Set{Most: 3}
	start := time.Now()
	for _, c := range []struct {
		key        string
		at         time.Duration
		suppressed int
		ok         bool
	}{
		{"noisy", 0, 0, true},
		{"noisy", 1, 0, false},
		{"noisy", 2, 0, false},
		{"other", 3, 2, true},
		{"third", 4, 0, true},
		{"fourth", 5, 0, false}, // as many as there may be
		{"noisy", Interval, 1, true},
		{"noisy", Interval + 1, 0, false},
		{"other", Interval + 2, 1, true},
	} {
		if suppressed, ok := s.Allow(c.key, start.Add(c.at)); suppressed != c.suppressed || ok != c.ok {
			t.Errorf("%s after %v: got %d suppressed, %v; want %d, %v", c.key, c.at, suppressed, ok, c.suppressed, c.ok)
		}
	}
}

// Whatever comes, there are no more lines than in the bound, and nothing is kept beyond it.
func TestSetOfMany(t *testing.T) {
	var s Set
	lines, silent, now := 0, 0, time.Now()
	for i := range 100_000 {
		suppressed, ok := s.Allow(fmt.Sprint(i), now)
		if ok {
			lines++
		}
		silent += suppressed
	}
	if lines != DefaultMost || len(s.seen) != DefaultMost {
		t.Errorf("%d lines, %d kept", lines, len(s.seen))
	}
	if suppressed, ok := s.Allow("later", now.Add(Interval)); !ok || suppressed+silent != 100_000-DefaultMost {
		t.Errorf("%d suppressed", suppressed+silent)
	}
}
