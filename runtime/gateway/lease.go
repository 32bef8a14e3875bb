package gateway

import (
	"context"
	"fmt"
	"sync"
)

// lease counts the users of a handler factory or connector, so that it can be replaced while it is used: it is freed
// once it has been retired and its last user has released it.
type lease[T any] struct {
	name  string
	value T
	free  func(T)

	mu      sync.Mutex // guards the fields below
	users   int
	retired bool
}

func newLease[T any](name string, value T, free func(T)) *lease[T] {
	return &lease[T]{name: name, value: value, free: free}
}

// take adds a user. It reports false if the lease is already retired.
func (l *lease[T]) take() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.retired {
		return false
	}
	l.users++
	return true
}

// release removes a user.
func (l *lease[T]) release() {
	l.mu.Lock()
	l.users--
	last := l.retired && l.users == 0
	l.mu.Unlock()
	if last {
		l.free(l.value)
	}
}

// retire lets the lease take no new users.
func (l *lease[T]) retire() {
	l.mu.Lock()
	first := !l.retired
	l.retired = true
	last := first && l.users == 0
	l.mu.Unlock()
	if last {
		l.free(l.value)
	}
}

// Lend returns the factory called name for use outside of a listener. The gateway may replace its own, but does not
// close the lent one before the returned factory is closed.
func (g *Gateway) Lend(name string) (HandlerFactory, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.handlers[name]
	if l == nil || !l.take() {
		return nil, fmt.Errorf("no handler is named %q", name)
	}
	return &lent{l, g}, nil
}

// lent is a factory that belongs to the gateway.
type lent struct {
	lease   *lease[HandlerFactory]
	gateway *Gateway
}

func (l *lent) NewHandler(conn ConnectionAdapter) (ConnectionHandler, error) {
	return l.lease.value.NewHandler(conn)
}

// Close gives the factory back. If the gateway no longer needs it, Close waits until the factory is closed.
func (l *lent) Close(ctx context.Context) error {
	l.lease.release()
	if l.gateway.background.wait(ctx) > 0 {
		return fmt.Errorf("closing handler %q: %w", l.lease.name, ctx.Err())
	}
	return nil
}
