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

// ErrUnknownNode is what a call to a node that is not of the group ends with.
var ErrUnknownNode = errors.New("no node of this name")

// Peers are the other nodes of the group.
type Peers struct {
	cfg      Config
	identity identity
	warnings rate.Sometimes

	mu       sync.Mutex // guards the fields below
	static   map[string]*node
	found    map[string]*node // by name; what DNS led to
	lookedAt time.Time        // when the last look at DNS ended
	looked   chan struct{}    // closed when the next one ends

	wanted chan struct{} // somebody waits for a look at DNS
	stop   context.CancelFunc
	ended  sync.WaitGroup
}

// New makes the peers of a node and begins to look for them. Errors name the setting to change.
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
		cfg: cfg, identity: identity{node: cfg.Node, token: cfg.Token}, warnings: rate.Sometimes{Interval: warningInterval},
		static: make(map[string]*node), looked: make(chan struct{}), wanted: make(chan struct{}, 1),
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

// Close ends the connections to the other nodes; calls under way fail.
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

// Forward makes the call method at the node named name. The call's deadline is ctx's, or Timeout from now where it has none. Errors are ErrUnknownNode,
// gRPC's, or say that the node has too many calls under way.
func (p *Peers) Forward(ctx context.Context, name, method string, request, reply proto.Message) error {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.cfg.Timeout)
		defer cancel()
	}
	n := p.find(ctx, name)
	if n == nil {
		return ErrUnknownNode
	}
	return n.forward(p.identity.introduce(ctx), method, request, reply)
}

// find returns the node of a name, after a look at DNS where it is not known and the last look was long enough ago.
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

// known returns the node of a name, or else what is closed after the next look at DNS if one is due.
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
