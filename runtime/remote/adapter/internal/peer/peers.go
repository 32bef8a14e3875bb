package peer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/protobuf/proto"
)

// ErrUnknownNode is the error of a call to a node outside the group.
var ErrUnknownNode = errors.New("no node of this name")

// Peers are the other nodes of the group.
type Peers struct {
	cfg      Config
	identity identity
	warnings rate.Sometimes

	mu       sync.Mutex // guards the fields below
	static   map[string]*node
	found    map[string]*node // by name, found through DNS
	lookedAt time.Time        // when the last lookup ended
	looked   chan struct{}    // closed at the end of the next lookup

	wanted chan struct{} // requests a lookup
	stop   context.CancelFunc
	ended  sync.WaitGroup
}

// New returns the peers of a node and begins to look for them. Errors name the setting to change.
func New(cfg Config) (*Peers, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	addresses, err := cfg.static()
	if err != nil {
		return nil, err
	}
	p := &Peers{
		cfg: cfg, identity: identity{node: cfg.Node, token: cfg.Token},
		warnings: rate.Sometimes{Interval: warningInterval},
		static:   make(map[string]*node), looked: make(chan struct{}), wanted: make(chan struct{}, 1),
	}
	for name, address := range addresses {
		if p.static[name], err = p.dial(address, ""); err != nil {
			p.Close()
			return nil, fmt.Errorf("adapter.peers: %w", err)
		}
		p.static[name].name = name
	}
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	if cfg.DNS != "" {
		p.ended.Go(func() { p.discover(ctx) })
	}
	return p, nil
}

// Close closes the connections to the other nodes; calls in progress fail.
func (p *Peers) Close() {
	if p.stop != nil {
		p.stop()
	}
	p.ended.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, nodes := range []map[string]*node{p.static, p.found} {
		for _, n := range nodes {
			n.close()
		}
	}
	p.static, p.found = nil, nil
}

// Forward calls method at the node named name. The deadline is ctx's, or 5 s from now if ctx has none. The error is
// ErrUnknownNode, gRPC's, or says that the node has too many calls in progress.
func (p *Peers) Forward(ctx context.Context, name, method string, request, reply proto.Message) error {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.cfg.timeout)
		defer cancel()
	}
	n := p.find(ctx, name)
	if n == nil {
		return ErrUnknownNode
	}
	return n.forward(p.identity.introduce(ctx), method, request, reply)
}

// find returns the node named name. If it is unknown and the last lookup is long enough ago, find waits for another
// one.
func (p *Peers) find(ctx context.Context, name string) *node {
	n, looked := p.known(name)
	if n != nil || looked == nil {
		return n
	}
	select {
	case p.wanted <- struct{}{}:
	default:
	}
	select {
	case <-looked:
	case <-ctx.Done():
	}
	n, _ = p.known(name)
	return n
}

// known returns the node named name, or else a channel that is closed after the next lookup, if one is due.
func (p *Peers) known(name string) (*node, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.static[name]; n != nil {
		return n, nil
	}
	if n := p.found[name]; n != nil {
		return n, nil
	}
	if p.cfg.DNS == "" || time.Since(p.lookedAt) < leastRefresh {
		return nil, nil
	}
	return nil, p.looked
}
