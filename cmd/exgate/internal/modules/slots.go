package modules

import (
	"context"
	"runtime"
	"time"
)

const (
	// slowAfter is how long loading a module occupies a slot. A slower module continues while the next one loads.
	slowAfter = 2 * time.Second
	// maxSlow bounds the number of such slower modules.
	maxSlow = 8
)

// slots bounds the number of modules that are loaded at once, because compiling them takes processors and memory from
// devices.
type slots struct {
	running chan struct{}
	slow    chan struct{}
}

// newSlots leaves one processor to devices if there are several.
func newSlots() slots {
	return slots{make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)), make(chan struct{}, maxSlow)}
}

// take waits for a slot and returns the function that frees it, or nil if ctx ends first.
func (s slots) take(ctx context.Context) (leave func()) {
	select {
	case s.running <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	done, left := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(left)
		defer func() { <-s.running }()
		late := time.NewTimer(slowAfter)
		defer late.Stop()
		select {
		case <-done:
			return
		case <-late.C:
		}
		select {
		case <-done:
		case s.slow <- struct{}{}:
			go func() {
				<-done
				<-s.slow
			}()
		}
	}()
	return func() {
		close(done)
		<-left
	}
}
