package backend

import (
	"context"
	"net"
	"time"
)

// The timing of lookups.
const (
	defaultLookupInterval = 30 * time.Second
	lookupTimeout         = 5 * time.Second
	lookupPause           = time.Second // the minimum time between two lookups of a name
)

// name is a DNS name that stands for backends.
type name struct {
	target, host, port string
	nudged             chan struct{} // a backend was lost: it may have been replaced

	// Guarded by Pool.mu.
	backends map[string]*Backend // by address
	asked    bool
	err      error // of the last lookup
}

// follow keeps the backends of n up to date until the pool is closed.
func (p *Pool) follow(n *name) {
	defer p.watchers.Done()
	for pause := lookupPause; ; {
		err := p.lookup(n)
		wait := p.cfg.lookupInterval
		if err != nil {
			wait, pause = min(pause, wait), min(pause*2, wait)
		} else {
			pause = lookupPause
		}
		if !p.awaitLookup(n, wait) {
			return
		}
	}
}

// awaitLookup waits for the next lookup. It returns false if the pool is closed.
func (p *Pool) awaitLookup(n *name, wait time.Duration) bool {
	next := time.NewTimer(wait)
	defer next.Stop()
	least := time.NewTimer(min(wait, lookupPause))
	defer least.Stop()
	select {
	case <-least.C:
	case <-p.end.Done():
		return false
	}
	select {
	case <-next.C:
	case <-n.nudged:
	case <-p.end.Done():
		return false
	}
	return true
}

func (p *Pool) lookup(n *name) error {
	ctx, cancel := context.WithTimeout(p.end, lookupTimeout)
	defer cancel()
	hosts, err := p.cfg.lookup(ctx, n.host)
	if p.end.Err() != nil {
		return nil
	}
	if err != nil {
		p.cfg.Logger.Warn("looking up the handler failed", "host", n.host, "error", err)
	}
	for _, b := range p.update(n, hosts, err) {
		_ = b.rpc.Close()
	}
	return err
}

// update makes hosts the backends of n, and returns those that are no longer needed. A failed lookup changes nothing: a
// broken resolver must not disconnect the handler.
func (p *Pool) update(n *name, hosts []string, err error) (unused []*Backend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	defer p.wake()
	n.asked, n.err = true, err
	if err != nil {
		return nil
	}
	old := n.backends
	n.backends = make(map[string]*Backend, len(hosts))
	for _, host := range hosts {
		addr := net.JoinHostPort(host, n.port)
		b, ok := old[addr]
		if !ok {
			if _, twice := n.backends[addr]; twice {
				continue
			}
			if b, err = p.connect(n.target, addr); err != nil {
				continue
			}
		}
		n.backends[addr] = b
		delete(old, addr)
	}
	for _, b := range old {
		b.retired = true
		if p.forgetUnused(b) {
			unused = append(unused, b)
		}
	}
	return unused
}

// nudge requests lookups of all names; the caller holds mu.
func (p *Pool) nudge() {
	for _, n := range p.names {
		select {
		case n.nudged <- struct{}{}:
		default:
		}
	}
}
