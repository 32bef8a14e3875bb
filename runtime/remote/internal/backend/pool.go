package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// Config configures a Pool.
type Config struct {
	// Targets are where backends listen, each as host:port. A name stands for all its addresses and is looked up again.
	// At least one is required.
	Targets []string
	// Authority is the :authority of calls and the name in the certificates of backends. If zero, the target of each.
	Authority string
	// Credentials secure the connections. If zero, plain text.
	Credentials credentials.TransportCredentials
	// MaxCalls bounds the concurrent calls that the gates of all backends admit. Each connected backend has an equal
	// share, and at least one. If zero, unlimited.
	MaxCalls int
	// Options are used for each connection.
	Options []grpc.DialOption
	// Connected is called with the number of connected backends whenever it changes. It must not block. Optional.
	Connected func(n int)
	// Logger receives failed lookups. If zero, slog.Default().
	Logger *slog.Logger

	// The tests set these.
	lookup         func(ctx context.Context, host string) ([]string, error)
	lookupInterval time.Duration
}

// ErrClosed is the error of a closed pool.
var ErrClosed = errors.New("the client of the handler is closed")

// Pool has the backends of one handler.
type Pool struct {
	cfg      Config
	end      context.Context // ends lookups
	stop     context.CancelFunc
	watchers sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	names    []*name
	backends []*Backend
	next     int           // where the search for the least loaded backend begins
	changed  chan struct{} // closed and replaced when a backend is added, removed or changes its state
	closed   bool
}

// New returns a pool and begins to connect to each backend. It does not wait. The error names the target to change.
func New(cfg Config) (*Pool, error) {
	if cfg.lookup == nil {
		cfg.lookup = net.DefaultResolver.LookupHost
	}
	if cfg.lookupInterval == 0 {
		cfg.lookupInterval = defaultLookupInterval
	}
	if cfg.Connected == nil {
		cfg.Connected = func(int) {}
	}
	if cfg.Credentials == nil {
		cfg.Credentials = insecure.NewCredentials()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	p := &Pool{cfg: cfg, changed: make(chan struct{})}
	p.end, p.stop = context.WithCancel(context.Background())
	for _, target := range cfg.Targets {
		if err := p.add(target); err != nil {
			p.Close()
			return nil, err
		}
	}
	return p, nil
}

// add adds a target.
func (p *Pool) add(target string) error {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return fmt.Errorf("address %q must be host:port", target)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := netip.ParseAddr(host); err != nil {
		n := &name{target: target, host: host, port: port, nudged: make(chan struct{}, 1)}
		p.names = append(p.names, n)
		p.watchers.Add(1)
		go p.follow(n)
		return nil
	}
	_, err = p.connect(target, target)
	return err
}

// connect adds a backend of a target; the caller holds mu.
func (p *Pool) connect(target, addr string) (*Backend, error) {
	gate := newGate()
	rpc, err := p.dial(target, addr, gate.learn)
	if err != nil {
		return nil, err
	}
	b := &Backend{pool: p, target: target, addr: addr, rpc: rpc, gate: gate, state: connectivity.Idle, lost: time.Now()}
	p.backends = append(p.backends, b)
	p.divide()
	p.watchers.Add(1)
	go b.watch()
	return b, nil
}

// dial opens a connection to a backend of a target. It calls learned with the number of streams that the server allows
// on it.
func (p *Pool) dial(target, addr string, learned func(streams uint32)) (*grpc.ClientConn, error) {
	options := append(slices.Clone(p.cfg.Options), grpc.WithAuthority(cmp.Or(p.cfg.Authority, target)),
		grpc.WithIdleTimeout(0),
		grpc.WithTransportCredentials(reading(p.cfg.Credentials, learned)))
	rpc, err := grpc.NewClient("passthrough:///"+addr, options...)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", addr, err)
	}
	return rpc, nil
}

// wake wakes everything that waits for a change; the caller holds mu.
func (p *Pool) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
	n := 0
	for _, b := range p.backends {
		if b.state == connectivity.Ready {
			n++
		}
	}
	p.cfg.Connected(n)
}

// divide gives each backend its share of MaxCalls; the caller holds mu.
func (p *Pool) divide() {
	if p.cfg.MaxCalls == 0 {
		return
	}
	connected := 0
	for _, b := range p.backends {
		if b.state == connectivity.Ready {
			connected++
		}
	}
	for _, b := range p.backends {
		b.gate.setShare(max(1, p.cfg.MaxCalls/max(1, connected)))
	}
}

// Close closes all connections. Calls in flight fail.
func (p *Pool) Close() error {
	p.mu.Lock()
	backends := p.backends
	p.backends, p.closed = nil, true
	spares := make(map[*Backend][]*spare)
	for _, b := range backends {
		spares[b] = slices.Clone(b.spares) // release changes them meanwhile
	}
	p.wake()
	p.mu.Unlock()
	p.stop()
	var errs []error
	for _, b := range backends {
		if err := b.rpc.Close(); err != nil {
			errs = append(errs, fmt.Errorf("closing the connection to %s: %w", b.addr, err))
		}
		for _, s := range spares[b] {
			_ = s.rpc.Close()
		}
	}
	p.watchers.Wait()
	return errors.Join(errs...)
}
