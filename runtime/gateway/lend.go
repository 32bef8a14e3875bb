package gateway

import (
	"context"
	"fmt"
)

// Lend returns the factory name for something that is no listener. It stays what it is, and is not closed, until what is returned is.
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

// Close gives the factory back. Where the gateway needs it no longer, it waits until the factory is closed.
func (l *lent) Close(ctx context.Context) error {
	l.lease.release()
	if l.gateway.background.wait(ctx) > 0 {
		return fmt.Errorf("closing handler %q: %w", l.lease.name, ctx.Err())
	}
	return nil
}
