package backoff_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exgate/exgate/internal/backoff"
)

func TestSleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		if !backoff.Sleep(t.Context(), time.Minute) || time.Since(begun) != time.Minute {
			t.Errorf("slept for %v, want 1m", time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun = time.Now()
		if backoff.Sleep(ctx, time.Minute) || time.Since(begun) != time.Second {
			t.Errorf("slept for %v, want 1s", time.Since(begun))
		}
	})
}

func TestJitterIsBetweenHalfAndAll(t *testing.T) {
	const d = time.Second
	for range 1000 {
		if got := backoff.Jitter(d); got < d/2 || got > d {
			t.Fatalf("got %v of %v", got, d)
		}
	}
}
