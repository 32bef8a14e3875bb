package modules

import (
	"context"
	"runtime"
	"time"
)

const (
	// slowAfter is how long a module has its turn for itself. One that takes longer goes on beside the next.
	slowAfter = 2 * time.Second
	// maxSlow is how many such modules there may be.
	maxSlow = 8
)

// turns bounds how many modules are loaded at once: compiling them takes processors and memory from devices.
type turns struct {
	running chan struct{}
	slow    chan struct{}
}

// newTurns leaves a processor to devices, where there are several.
func newTurns() turns {
	return turns{make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)), make(chan struct{}, maxSlow)}
}

// take waits for a turn, and returns what ends it. It returns nil where ctx ends first.
func (t turns) take(ctx context.Context) (leave func()) {
	select {
	case t.running <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	done, left := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(left)
		defer func() { <-t.running }()
		late := time.NewTimer(slowAfter)
		defer late.Stop()
		select {
		case <-done:
			return
		case <-late.C:
		}
		select {
		case <-done:
		case t.slow <- struct{}{}:
			go func() {
				<-done
				<-t.slow
			}()
		}
	}()
	return func() {
		close(done)
		<-left
	}
}
