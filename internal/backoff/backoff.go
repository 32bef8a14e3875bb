// Package backoff has the two parts of every retry loop: a pause that a context can end, and a random share of it.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Sleep pauses for d and reports whether it did: it returns false as soon as ctx ends.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// Jitter returns a random duration between half of d and d, so that devices that failed together do not retry together.
// d must be positive.
func Jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2) //nolint:gosec // a delay is not a secret
}
