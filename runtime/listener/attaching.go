package listener

import (
	"context"
	"fmt"
	"sync"
)

// attaching counts the connections that were accepted and are not the gateway's yet.
type attaching struct {
	mu     sync.Mutex
	n      int           // guarded by mu
	wanted chan struct{} // closed when n is 0; made by who waits; guarded by mu
}

func (a *attaching) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
}

func (a *attaching) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n--
	if a.n == 0 && a.wanted != nil {
		close(a.wanted)
		a.wanted = nil
	}
}

// none is closed when there are none.
func (a *attaching) none() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.wanted == nil {
		a.wanted = make(chan struct{})
	}
	none := a.wanted
	if a.n == 0 {
		close(none)
		a.wanted = nil
	}
	return none
}

// Attached waits, after Serve has returned, until each accepted connection is the gateway's or has failed. What the gateway has, it ends in order; what
// only the listener has would be reset.
func (l *stream) Attached(ctx context.Context) error {
	select {
	case <-l.attaching.none():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the connections being made at %s: %w", l.Addr(), ctx.Err())
	}
}
