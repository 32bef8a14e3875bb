package gateway

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// Config is a gateway's.
type Config struct {
	// Node is the gateway's name in messages. If zero, the host's name.
	Node string
	// Logger takes the gateway's log. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts. If zero, an unregistered set.
	Metrics *Metrics
}

// Gateway holds the listeners, handlers and connectors of one process, each under a name, and the connections between them. All of them can be
// added, changed and removed while it runs: what is there already keeps what it was made with.
type Gateway struct {
	node    string
	log     *slog.Logger
	metrics *Metrics
	started time.Time
	clients clients

	mu         sync.Mutex // guards the fields below
	handlers   map[string]*lease[HandlerFactory]
	connectors map[string]*lease[Connector]
	listeners  map[string]*listening
	conns      map[string]*Conn
	waiting    []*goneWaiter
	stopped    bool
	raws       []*RawPublisher

	background tally // factories and connectors being closed
	sockets    tally // transports that are not freed yet
}

// New makes a gateway that listens to nothing yet.
func New(cfg Config) *Gateway {
	if cfg.Node == "" {
		cfg.Node, _ = os.Hostname()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	return &Gateway{
		node: cfg.Node, log: cfg.Logger, metrics: cfg.Metrics, started: time.Now(),
		handlers:   make(map[string]*lease[HandlerFactory]),
		connectors: make(map[string]*lease[Connector]),
		listeners:  make(map[string]*listening),
		conns:      make(map[string]*Conn),
	}
}

// Node is the gateway's name.
func (g *Gateway) Node() string { return g.node }

// now is a clock for timers: cheaper than the wall clock, and never set back.
func (g *Gateway) now() time.Duration { return time.Since(g.started) }

// Conn finds a connection by its id.
func (g *Gateway) Conn(id string) (*Conn, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c, ok := g.conns[id]
	return c, ok
}

// Conns is a snapshot of the open connections.
func (g *Gateway) Conns() iter.Seq[*Conn] {
	return slices.Values(g.connsWhere(func(*Conn) bool { return true }))
}

func (g *Gateway) connsWhere(match func(*Conn) bool) []*Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	var found []*Conn
	for _, c := range g.conns {
		if match(c) {
			found = append(found, c)
		}
	}
	return found
}

// SetHandler adds the factory name, or replaces it: new connections take f; those of the old one are told to drain and keep it until
// they close, then it is closed.
func (g *Gateway) SetHandler(name string, f HandlerFactory) error {
	l := newLease(name, f, func(f HandlerFactory) { g.closeLater("handler", name, f.Close) })
	g.mu.Lock()
	if g.stopped {
		g.mu.Unlock()
		return fmt.Errorf("adding handler %q: the gateway is shut down", name)
	}
	old := g.handlers[name]
	g.handlers[name] = l
	g.mu.Unlock()
	if old != nil {
		old.retire()
		g.drain(old)
	}
	return nil
}

// drain tells the connections of a retired factory.
func (g *Gateway) drain(old *lease[HandlerFactory]) {
	for _, c := range g.connsWhere(func(c *Conn) bool { return c.factory == old }) {
		c.mu.Lock()
		c.enqueue(event{kind: eventDrain})
		c.mu.Unlock()
	}
}

// RemoveHandler removes a factory that no listener uses.
func (g *Gateway) RemoveHandler(name string) error {
	g.mu.Lock()
	old, ok := g.handlers[name]
	user := g.userOf(func(cfg ListenerConfig) bool { return cfg.Handler == name })
	if ok && user == "" {
		delete(g.handlers, name)
	}
	g.mu.Unlock()
	return retire(old, ok, "handler", name, user)
}

// SetConnector adds the connector name, or replaces it: new connections take c; sessions of the old one stay until their devices leave,
// then it is closed.
func (g *Gateway) SetConnector(name string, c Connector) error {
	l := newLease(name, c, func(c Connector) { g.closeLater("connector", name, c.Close) })
	g.mu.Lock()
	if g.stopped {
		g.mu.Unlock()
		return fmt.Errorf("adding connector %q: the gateway is shut down", name)
	}
	old := g.connectors[name]
	g.connectors[name] = l
	g.mu.Unlock()
	if old != nil {
		old.retire()
	}
	return nil
}

// RemoveConnector removes a connector that no listener uses.
func (g *Gateway) RemoveConnector(name string) error {
	g.mu.Lock()
	old, ok := g.connectors[name]
	user := g.userOf(func(cfg ListenerConfig) bool { return cfg.Connector == name })
	if ok && user == "" {
		delete(g.connectors, name)
	}
	g.mu.Unlock()
	return retire(old, ok, "connector", name, user)
}

func retire[T any](l *lease[T], known bool, what, name, user string) error {
	switch {
	case !known:
		return fmt.Errorf("removing %s %q: there is none", what, name)
	case user != "":
		return fmt.Errorf("removing %s %q: listener %q uses it", what, name, user)
	}
	l.retire()
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

// closeLater closes something that is no longer used, off the path of whoever used it last.
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
