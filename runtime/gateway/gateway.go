package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/exgate/exgate/internal/lograte"
)

// Config configures a [Gateway].
type Config struct {
	// Node is the gateway's name in messages and in the ids of connections, unique among gateways that share an adapter
	// address. Characters that [CheckNode] refuses become '-', and a name that is too long is cut. If zero,
	// [DefaultNode].
	Node string
	// Logger receives the gateway's log. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics is the set of counters to use. If zero, an unregistered set.
	Metrics *Metrics
	// QueueBytes bounds the bytes queued for devices and for handlers in all connections together. Beyond it
	// the connections with the largest queues that do not move are closed with [ReasonQueueBudget]. If zero, a 64th of
	// the memory that the process may use, between 64 MiB and 128 MiB.
	QueueBytes int64
}

// Gateway holds the listeners, handlers and connectors of one process, each under a name, and the connections between
// them. All of them can be added, changed and removed while it runs: existing connections keep what they were created
// with.
type Gateway struct {
	node    string
	log     *slog.Logger
	metrics *Metrics
	started time.Time
	clients clients
	outages lograte.Limiter
	queues  queueBudget
	state   StateStore // nil without one; set before listeners are added

	mu         sync.Mutex // guards the fields below
	handlers   map[string]*lease[HandlerFactory]
	connectors map[string]*lease[Connector]
	listeners  map[string]*listening
	conns      map[string]*Conn
	waiting    []*endWaiter
	stopped    bool
	raws       []*RawPublisher

	background tally // factories and connectors being closed
	sockets    tally // transports that are not freed yet
}

// New creates a gateway that listens to nothing yet.
func New(cfg Config) *Gateway {
	if cfg.Node == "" {
		cfg.Node = DefaultNode()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	if cfg.QueueBytes == 0 {
		cfg.QueueBytes = defaultQueueBytes()
	}
	return &Gateway{
		node: cleanNode(cfg.Node), log: cfg.Logger, metrics: cfg.Metrics, started: time.Now(),
		handlers:   make(map[string]*lease[HandlerFactory]),
		connectors: make(map[string]*lease[Connector]),
		listeners:  make(map[string]*listening),
		conns:      make(map[string]*Conn),
		queues:     queueBudget{limit: cfg.QueueBytes, writers: make(map[*Conn]struct{})},
	}
}

// QueuedBytes returns how much is queued for devices and for handlers in all connections together, in bytes; see
// Config.QueueBytes.
func (g *Gateway) QueuedBytes() int64 { return g.queues.held.Load() }

// Node is the gateway's name.
func (g *Gateway) Node() string { return g.node }

// now is a clock for timers: cheaper than the wall clock, and never set back.
func (g *Gateway) now() time.Duration { return time.Since(g.started) }

// SetHandler adds the factory called name, or replaces it: new connections use f; connections of the old factory get
// OnDrain and keep it until they close, and then it is closed.
func (g *Gateway) SetHandler(name string, f HandlerFactory) error {
	old, err := put(g, g.handlers, newLease(name, f, func(f HandlerFactory) { g.closeLater("handler", name, f.Close) }))
	if err != nil {
		return fmt.Errorf("adding handler %q: %w", name, err)
	}
	if old != nil {
		old.retire()
		g.drain(old)
	}
	return nil
}

var errStopped = errors.New("the gateway is shut down")

// put stores l under its name and returns the previous lease.
func put[T any](g *Gateway, leases map[string]*lease[T], l *lease[T]) (old *lease[T], err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return nil, errStopped
	}
	old = leases[l.name]
	leases[l.name] = l
	return old, nil
}

// drain sends OnDrain to the connections of a retired factory.
func (g *Gateway) drain(old *lease[HandlerFactory]) {
	for _, c := range g.connsWhere(func(c *Conn) bool { return c.factory == old }) {
		c.mu.Lock()
		c.enqueue(event{kind: eventDrain})
		c.mu.Unlock()
	}
}

// SetConnector adds the connector called name, or replaces it: new connections use c; sessions of the old connector
// stay until their devices leave, and then it is closed.
func (g *Gateway) SetConnector(name string, c Connector) error {
	old, err := put(g, g.connectors, newLease(name, c, func(c Connector) { g.closeLater("connector", name, c.Close) }))
	if err != nil {
		return fmt.Errorf("adding connector %q: %w", name, err)
	}
	if old != nil {
		old.retire()
	}
	return nil
}

// RemoveHandler removes a factory. It fails if a listener uses it.
func (g *Gateway) RemoveHandler(name string) error {
	if err := remove(g, g.handlers, name, func(cfg ListenerConfig) bool { return cfg.Handler == name }); err != nil {
		return fmt.Errorf("removing handler %q: %w", name, err)
	}
	return nil
}

// RemoveConnector removes a connector. It fails if a listener uses it.
func (g *Gateway) RemoveConnector(name string) error {
	if err := remove(g, g.connectors, name,
		func(cfg ListenerConfig) bool { return cfg.Connector == name }); err != nil {
		return fmt.Errorf("removing connector %q: %w", name, err)
	}
	return nil
}

// remove retires the lease called name unless a listener uses it.
func remove[T any](g *Gateway, leases map[string]*lease[T], name string, uses func(ListenerConfig) bool) error {
	g.mu.Lock()
	old, ok := leases[name]
	user := g.userOf(uses)
	if ok && user == "" {
		delete(leases, name)
	}
	g.mu.Unlock()
	switch {
	case !ok:
		return errors.New("it does not exist")
	case user != "":
		return fmt.Errorf("listener %q uses it", user)
	}
	old.retire()
	return nil
}

// userOf names a listener whose configuration matches; the caller holds mu.
func (g *Gateway) userOf(match func(ListenerConfig) bool) string {
	for name, l := range g.listeners {
		if match(l.cfg) {
			return name
		}
	}
	return ""
}

// closeTimeout bounds the closing of a factory or connector that is no longer used.
const closeTimeout = 10 * time.Second

// closeLater closes something that is no longer used, without delaying its last user.
func (g *Gateway) closeLater(what, name string, closeIt func(context.Context) error) {
	g.background.add()
	go func() {
		defer g.background.done()
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		if err := closeIt(ctx); err != nil {
			g.log.Warn("closing failed", what, name, "error", err)
		}
	}()
}
