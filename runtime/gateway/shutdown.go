package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Shutdown ends the gateway: it stops accepting, calls OnDrain, closes each connection with reason shutdown, and closes
// handlers and connectors. Connections that have not ended when ctx is done are aborted and counted in the error. A
// gateway cannot be started again.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.mu.Lock()
	listeners := g.listeners
	g.listeners = make(map[string]*listening)
	g.stopped = true
	g.mu.Unlock()

	var errs []error
	for name, l := range listeners {
		if err := l.listener.Close(); err != nil {
			errs = append(errs, fmt.Errorf("closing listener %q: %w", name, err))
		}
	}
	for _, l := range listeners {
		<-l.served
	}
	for _, c := range g.connsWhere(all) {
		c.leave()
	}
	if err := g.waitEnded(ctx, all); err != nil {
		errs = append(errs, err)
		for _, c := range g.connsWhere(all) {
			c.Close(ReasonShutdown)
			c.out.abort(c)
		}
	}
	g.closeRawPublishers()
	g.retireAll()
	if n := g.background.wait(ctx); n > 0 {
		errs = append(errs, fmt.Errorf("%d handlers and connectors did not close in time: %w", n, ctx.Err()))
	}
	if n := g.sockets.wait(ctx); n > 0 {
		errs = append(errs, fmt.Errorf("%d sockets still had unsent data: %w", n, ctx.Err()))
	}
	return errors.Join(errs...)
}

func all(*Conn) bool { return true }

// leave closes the connection after its handler has got OnDrain. A connection whose event waits for the handler is
// closed at once.
func (c *Conn) leave() {
	c.mu.Lock()
	c.inbox.leaving = true
	held := c.held != nil
	if !held {
		c.enqueue(event{kind: eventDrain})
		c.enqueue(event{kind: eventLeave})
	}
	c.mu.Unlock()
	if held {
		c.Close(ReasonShutdown)
	}
}

func (g *Gateway) retireAll() {
	for _, l := range takeAll(g, g.handlers) {
		l.retire()
	}
	for _, l := range takeAll(g, g.connectors) {
		l.retire()
	}
}

// takeAll empties leases and returns their contents.
func takeAll[T any](g *Gateway, leases map[string]*lease[T]) map[string]*lease[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := maps.Clone(leases)
	clear(leases)
	return all
}

// endWaiter waits until the connections that match have ended. Guarded by Gateway.mu.
type endWaiter struct {
	match func(*Conn) bool
	left  int
	ended chan struct{}
}

// waitEnded waits until no connection matches. New connections must not match.
func (g *Gateway) waitEnded(ctx context.Context, match func(*Conn) bool) error {
	w := &endWaiter{match: match, ended: make(chan struct{})}
	g.mu.Lock()
	for _, c := range g.conns {
		if match(c) {
			w.left++
		}
	}
	if w.left == 0 {
		g.mu.Unlock()
		return nil
	}
	g.waiting = append(g.waiting, w)
	g.mu.Unlock()
	select {
	case <-w.ended:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = slices.DeleteFunc(g.waiting, func(o *endWaiter) bool { return o == w })
	return fmt.Errorf("%d connections did not end in time: %w", w.left, ctx.Err())
}

// noteEnded counts the end of c for the waiters. The caller holds mu.
func (g *Gateway) noteEnded(c *Conn) {
	g.waiting = slices.DeleteFunc(g.waiting, func(w *endWaiter) bool {
		if w.match(c) {
			w.left--
		}
		if w.left > 0 {
			return false
		}
		close(w.ended)
		return true
	})
}

// tally counts things that must end before something else may.
type tally struct {
	mu   sync.Mutex // guards the fields below
	n    int
	zero chan struct{} // created by a waiter, closed when n is 0
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
