package cpuclock

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// Clock is a context that ends when the thread of the goroutine that started it has used limit of processor time. Time in which the thread
// waits for a processor does not count: a busy machine ends nobody's event. Where the system does not tell a thread's time, the wall's counts.
type Clock struct {
	context.Context
	limit time.Duration
	done  chan struct{}

	mu      sync.Mutex // guards the fields below
	used    func() time.Duration
	timer   *time.Timer
	stopped bool
}

// precision is the shortest time between two looks at the thread.
const precision = time.Millisecond

// Start locks the goroutine to its thread until Stop.
func Start(ctx context.Context, limit time.Duration) *Clock {
	runtime.LockOSThread()
	c := &Clock{Context: ctx, limit: limit, done: make(chan struct{}), used: threadTime()}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = time.AfterFunc(limit, c.check)
	return c
}

// check ends the context, or comes again when it may have to.
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

// Stop ends the watch. It must be called on the goroutine that started it.
func (c *Clock) Stop() {
	c.mu.Lock()
	c.stopped = true
	c.timer.Stop()
	c.mu.Unlock()
	runtime.UnlockOSThread()
}

// Done returns a channel that is closed when the time is used up.
func (c *Clock) Done() <-chan struct{} { return c.done }

// Err returns context.DeadlineExceeded when the time is used up.
func (c *Clock) Err() error {
	select {
	case <-c.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// Limit returns the limit that the clock was started with.
func (c *Clock) Limit() time.Duration { return c.limit }
