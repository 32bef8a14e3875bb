package gateway

import (
	"context"
	"sync"
)

// tally counts things that are to end before something else does.
type tally struct {
	mu   sync.Mutex // guards the fields below
	n    int
	zero chan struct{} // made by who waits, closed when n is 0
}

func (t *tally) add() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
}

func (t *tally) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n--
	if t.n == 0 && t.zero != nil {
		close(t.zero)
		t.zero = nil
	}
}

// wait waits until the count is 0, and reports how many were left when ctx ended.
func (t *tally) wait(ctx context.Context) (left int) {
	t.mu.Lock()
	if t.n == 0 {
		t.mu.Unlock()
		return 0
	}
	if t.zero == nil {
		t.zero = make(chan struct{})
	}
	zero := t.zero
	t.mu.Unlock()
	select {
	case <-zero:
		return 0
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n
}
