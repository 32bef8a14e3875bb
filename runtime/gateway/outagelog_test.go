package gateway

import (
	"testing"
	"time"
)

func TestOutageLog(t *testing.T) {
	var l outageLog
	start := time.Now()
	for _, c := range []struct {
		at     time.Duration
		silent int
		ok     bool
	}{
		{0, 0, true},
		{time.Second, 0, false},
		{outageInterval - 1, 0, false},
		{outageInterval, 2, true},
		{outageInterval + 1, 0, false},
		{10 * outageInterval, 1, true},
	} {
		if silent, ok := l.turn(start.Add(c.at)); silent != c.silent || ok != c.ok {
			t.Errorf("after %v: %d not logged, %v", c.at, silent, ok)
		}
	}
}
