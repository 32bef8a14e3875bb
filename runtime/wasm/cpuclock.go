package wasm

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// cpuClock is a context that ends when the thread of the goroutine that started it has used limit of processor time. Time in which the thread
// waits for a processor does not count: a busy machine ends nobody's event. Where the system does not tell a thread's time, the wall's counts.
type cpuClock struct {
	context.Context
	limit time.Duration
	done  chan struct{}

	mu      sync.Mutex // guards the fields below
	used    func() time.Duration
	timer   *time.Timer
	stopped bool
}

// clockPrecision is the shortest time between two looks at the thread.
const clockPrecision = time.Millisecond

// startClock locks the goroutine to its thread until stop.
func startClock(ctx context.Context, limit time.Duration) *cpuClock {
	runtime.LockOSThread()
	c := &cpuClock{Context: ctx, limit: limit, done: make(chan struct{}), used: threadTime()}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = time.AfterFunc(limit, c.look)
	return c
}

// look ends the context, or comes again when it may have to.
func (c *cpuClock) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	if left := c.limit - c.used(); left > 0 {
		c.timer.Reset(max(left, clockPrecision))
		return
	}
	close(c.done)
	c.stopped = true
}

// stop ends the watch. It must be called on the goroutine that started it.
func (c *cpuClock) stop() {
	c.mu.Lock()
	c.stopped = true
	c.timer.Stop()
	c.mu.Unlock()
	runtime.UnlockOSThread()
}

// Done returns a channel that is closed when the time is used up.
func (c *cpuClock) Done() <-chan struct{} { return c.done }

// Err returns context.DeadlineExceeded when the time is used up.
func (c *cpuClock) Err() error {
	select {
	case <-c.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}
