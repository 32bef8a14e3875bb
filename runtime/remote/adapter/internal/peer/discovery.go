package peer

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// Limits on DNS lookups.
const (
	leastRefresh    = 2 * time.Second // between two lookups, however many unknown nodes are called
	lookupTimeout   = 3 * time.Second
	askTimeout      = 3 * time.Second
	maxAddresses    = 256
	warningInterval = time.Minute
)

// discover looks up DNS every 30 s, and when a call is for an unknown node.
func (p *Peers) discover(ctx context.Context) {
	for ctx.Err() == nil {
		p.refresh(ctx)
		p.lookEnded()
		select {
		case <-ctx.Done():
		case <-time.After(p.cfg.refresh):
		case <-p.wanted:
		}
	}
}

func (p *Peers) lookEnded() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lookedAt = time.Now()
	close(p.looked)
	p.looked = make(chan struct{})
}

// answer is the answer from one address.
type answer struct {
	node *node
	name string
	err  error
}

// refresh looks up DNS, and asks the addresses found and those known before for their names. An address that DNS no
// longer lists is kept while it answers: a node that shuts down leaves DNS before its connections end. One that DNS
// lists and that does not answer is kept too, so that calls to it report that it is down.
func (p *Peers) refresh(ctx context.Context) {
	addresses, err := p.lookup(ctx)
	if err != nil {
		p.warn("looking for peers failed", "error", err, "check", "adapter.peers_dns")
		return
	}
	answers := p.askAll(ctx, p.candidates(addresses))
	if ctx.Err() != nil {
		addresses = nil // all are given up
	}
	found := make(map[string]*node)
	for _, a := range answers {
		if a.err == nil {
			p.take(found, a)
		}
	}
	for _, a := range answers {
		switch {
		case a.err == nil:
		case slices.Contains(addresses, a.node.address) && a.node.name != "" && found[a.node.name] == nil:
			found[a.node.name] = a.node
		default:
			a.node.close()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found = found
}

// take adds the node that answered, unless it is this one or another node has its name.
func (p *Peers) take(found map[string]*node, a answer) {
	if other := found[a.name]; other != nil {
		p.warn("two nodes have one name", "node", a.name, "addresses", other.address+" "+a.node.address,
			"check", "the setting node of each")
		a.node.close()
		return
	}
	if a.name == p.cfg.Node {
		a.node.close()
		return
	}
	a.node.name = a.name
	found[a.name] = a.node
}

func (p *Peers) lookup(ctx context.Context) ([]string, error) {
	host, port, _ := net.SplitHostPort(p.cfg.DNS)
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	hosts, err := p.cfg.resolver.LookupHost(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("looking up %q: %w", host, err)
	}
	slices.Sort(hosts)
	hosts = slices.Compact(hosts)
	var addresses []string
	for _, h := range hosts[:min(len(hosts), maxAddresses)] {
		addresses = append(addresses, net.JoinHostPort(h, port))
	}
	return addresses, nil
}

// candidates returns the nodes found before, and new nodes for the other addresses.
func (p *Peers) candidates(addresses []string) []*node {
	p.mu.Lock()
	all := slices.Collect(maps.Values(p.found))
	p.mu.Unlock()
	for _, address := range addresses {
		if slices.ContainsFunc(all, func(n *node) bool { return n.address == address }) {
			continue
		}
		n, err := p.dial(address, serverName(p.cfg.DNS))
		if err != nil {
			p.warn("peer cannot be dialled", "error", err)
			continue
		}
		all = append(all, n)
	}
	return all
}

// askAll asks all nodes concurrently and returns the answers in the order of their addresses.
func (p *Peers) askAll(ctx context.Context, nodes []*node) []answer {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	slices.SortFunc(nodes, func(a, b *node) int { return strings.Compare(a.address, b.address) })
	answers := make([]answer, len(nodes))
	var asked sync.WaitGroup
	for i, n := range nodes {
		asked.Go(func() {
			name, err := p.ask(ctx, n)
			if err == nil {
				err = gateway.CheckNode(name)
			}
			if err != nil {
				p.warn("a peer did not tell its name", "address", n.address, "error", err,
					"check", "that it runs, and that its peer token and TLS are as here")
			}
			answers[i] = answer{node: n, name: name, err: err}
		})
	}
	asked.Wait()
	return answers
}

func (p *Peers) warn(message string, args ...any) {
	p.warnings.Do(func() { p.cfg.Logger.Warn(message, args...) })
}
