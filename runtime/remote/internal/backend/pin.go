package backend

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/connectivity"
)

// Pin assigns a device connection to a backend. Handlers keep the state of a connection in memory, so it stays at its
// backend unless Await moves it. Its methods are called one at a time.
type Pin struct {
	pool *Pool
	at   *Backend
}

// Pin returns a pin without a backend.
func (p *Pool) Pin() Pin { return Pin{pool: p} }

// At returns the backend of the connection, or nil.
func (p *Pin) At() *Backend { return p.at }

// Backend returns the backend of the connection. A new pin gets the connected backend with the fewest connections. If
// none is connected but one may be soon, it waits until ctx ends. If none can be reached, it returns one of them
// without pinning the connection, so that a call returns the reason.
func (p *Pin) Backend(ctx context.Context) (*Backend, error) {
	if p.at != nil {
		return p.at, nil
	}
	for {
		b, changed, err := p.choose()
		if b != nil || err != nil {
			return b, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("connecting took too long: %w", ctx.Err())
		}
	}
}

// choose pins the connection if it can. If it returns neither a backend nor an error, the caller must wait for a
// change.
func (p *Pin) choose() (*Backend, <-chan struct{}, error) {
	pool := p.pool
	pool.mu.Lock()
	defer pool.mu.Unlock()
	if pool.closed {
		return nil, nil, ErrClosed
	}
	if b := pool.least(); b != nil {
		p.at = b
		b.pins++
		return b, nil, nil
	}
	pending := slices.ContainsFunc(pool.names, func(n *name) bool { return !n.asked }) ||
		slices.ContainsFunc(pool.backends, func(b *Backend) bool { return !b.failed && !b.retired })
	switch {
	case pending:
		return nil, pool.changed, nil
	case len(pool.backends) > 0:
		return pool.backends[0], nil, nil
	}
	return nil, nil, pool.lookupError()
}

// lookupError says why there is no backend; the caller holds mu.
func (p *Pool) lookupError() error {
	for _, n := range p.names {
		if n.err != nil {
			return fmt.Errorf("looking up %q: %w", n.host, n.err)
		}
	}
	return fmt.Errorf("no address of %q is known", p.cfg.Targets)
}

// least returns the connected backend with the fewest connections, round robin among equals, or nil; the caller holds
// mu.
func (p *Pool) least() *Backend {
	p.next++
	var best *Backend
	for i := range p.backends {
		b := p.backends[(p.next+i)%len(p.backends)]
		if b.state == connectivity.Ready && !b.retired && (best == nil || b.pins < best.pins) {
			best = b
		}
	}
	return best
}

// Await waits until the backend of the connection is connected; without one, until any is. If the backend has been lost
// for moveAfter, or is no longer listed, the connection moves to another connected one; with a negative moveAfter it
// never moves. The error is ctx's or ErrClosed.
func (p *Pin) Await(ctx context.Context, moveAfter time.Duration) error {
	for {
		ready, changed, left, err := p.settle(moveAfter)
		if ready || err != nil {
			return err
		}
		timer := time.NewTimer(left)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			err = ctx.Err()
		}
		timer.Stop()
		if err != nil {
			return err
		}
	}
}

// Ready reports whether Await would return at once.
func (p *Pin) Ready(moveAfter time.Duration) bool {
	ready, _, _, _ := p.settle(moveAfter)
	return ready
}

// settle reports whether the pin may be used. left is how long to wait if nothing changes. A pin that may move becomes
// a new one, so that it gets the least loaded backend.
func (p *Pin) settle(moveAfter time.Duration) (ready bool, changed <-chan struct{}, left time.Duration, err error) {
	pool := p.pool
	pool.mu.Lock()
	defer pool.mu.Unlock()
	switch b := p.at; {
	case pool.closed:
		return false, nil, 0, ErrClosed
	case b == nil:
		return pool.least() != nil, pool.changed, aLongTime, nil
	case b.state == connectivity.Ready:
		return true, nil, 0, nil
	case moveAfter < 0:
		return false, pool.changed, aLongTime, nil
	case !b.retired && time.Since(b.lost) < moveAfter:
		return false, pool.changed, moveAfter - time.Since(b.lost), nil
	case pool.least() == nil:
		return false, pool.changed, aLongTime, nil
	}
	p.unpin()
	return true, nil, 0, nil
}

// aLongTime is for waits that something else ends.
const aLongTime = time.Hour

// Release leaves the backend. The pin may be used again as a new one.
func (p *Pin) Release() {
	p.pool.mu.Lock()
	defer p.pool.mu.Unlock()
	p.unpin()
}

// unpin leaves the backend and removes it if it is no longer needed; the caller holds mu.
func (p *Pin) unpin() {
	b := p.at
	if b == nil {
		return
	}
	p.at = nil
	b.pins--
	if p.pool.forgetUnused(b) {
		go func() { _ = b.rpc.Close() }()
	}
}

// forgetUnused removes b from the pool if it is neither listed nor pinned; the caller holds mu, and closes b
// afterwards.
func (p *Pool) forgetUnused(b *Backend) bool {
	if p.closed || !b.retired || b.pins > 0 {
		return false
	}
	p.backends = slices.DeleteFunc(p.backends, func(o *Backend) bool { return o == b })
	return true
}
