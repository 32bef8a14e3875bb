package cpuclock

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// Clock is a context that ends once the thread that started it has used its limit of processor time. Time in which the
// thread waits for a processor does not count, so a busy machine ends no event. Outside of Linux it measures elapsed
// time.
type Clock struct {
	context.Context
	limit time.Duration
	done  chan struct{}

	mu      sync.Mutex // guards the fields below
	used    func() time.Duration
	timer   *time.Timer
	stopped bool
}

// precision is the shortest time between two checks.
const precision = time.Millisecond

// Start creates a clock for the calling goroutine, which stays locked to its thread until Stop.
func Start(ctx context.Context, limit time.Duration) *Clock {
	runtime.LockOSThread()
	c := &Clock{Context: ctx, limit: limit, done: make(chan struct{}), used: threadTime()}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = time.AfterFunc(limit, c.check)
	return c
}

// check ends the context if the limit is used up, and otherwise schedules the next check.
func (c *Clock) check() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	if left := c.limit - c.used(); left > 0 {
		c.timer.Reset(max(left, precision))
		return
	}
	close(c.done)
	c.stopped = true
}

// Stop stops the clock. It must be called on the goroutine that started it.
func (c *Clock) Stop() {
	c.mu.Lock()
	c.stopped = true
	c.timer.Stop()
	c.mu.Unlock()
	runtime.UnlockOSThread()
}

// Limit returns the limit that the clock was started with.
func (c *Clock) Limit() time.Duration { return c.limit }

// Done returns a channel that is closed when the limit is used up.
func (c *Clock) Done() <-chan struct{} { return c.done }

// Err returns context.DeadlineExceeded once the limit is used up.
func (c *Clock) Err() error {
	select {
	case <-c.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}
