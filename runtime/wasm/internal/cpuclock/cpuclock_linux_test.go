package cpuclock

import (
	"context"
	"errors"
	"testing"
	"time"
)

// Time in which the thread does not run does not count; time in which it computes does.
func TestClockCountsWorkOnly(t *testing.T) {
	const limit = 20 * time.Millisecond
	c := Start(t.Context(), limit)
	defer c.Stop()
	time.Sleep(5 * limit)
	if err := c.Err(); err != nil {
		t.Fatalf("it ended while nothing ran: %v", err)
	}
	for deadline := time.Now().Add(20 * time.Second); c.Err() == nil && time.Now().Before(deadline); {
	}
	if !errors.Is(c.Err(), context.DeadlineExceeded) {
		t.Errorf("after 20 s of work: %v", c.Err())
	}
}

// A clock that was stopped never ends, whatever its thread does then.
func TestStoppedClock(t *testing.T) {
	c := Start(t.Context(), time.Hour)
	c.limit = 0
	c.Stop()
	c.check()
	if err := c.Err(); err != nil {
		t.Error(err)
	}
}
