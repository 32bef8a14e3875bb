package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Listener accepts device connections; runtime/listener has one for each kind of socket.
type Listener interface {
	// Serve passes each accepted connection to attach, which delivers OnSocketCreated on the calling goroutine, and
	// then reads it. It returns nil after Close. An error of a single accept does not end it.
	Serve(attach func(Transport) (*Conn, error)) error
	Addr() net.Addr
	// Close stops accepting. It does not touch connections.
	Close() error
}

// ListenerConfig says what a listener's connections are connected to.
type ListenerConfig struct {
	Handler   string // the name given to SetHandler
	Connector string // the name given to SetConnector
	// Mountpoint is prepended to the topics that the listener's devices use, and removed from those of messages to
	// them. ${clientid}, ${username}, ${listener} and ${module} are replaced. If zero, the handler's in ClientInfo.
	Mountpoint string
	// Module is the value of ${module}. If zero, ${module} has no value, and a mountpoint with it refuses every client.
	Module string
	// PublishTopics are the patterns ([ParseTopicPattern]) of the topics that devices may publish to, mountpoint
	// included; others are [CodePermissionDeny] and reach no upstream. If nil, all.
	PublishTopics []string
	// SubscribeTopics are the same for filters: each must be inside one of the patterns. If nil, all.
	SubscribeTopics []string
	// Limits bounds each connection. Zero fields take [DefaultLimits].
	Limits Limits
	// ListenerBytesPerSecond is Limits.BytesPerSecond for all connections of the listener together. If zero, no limit.
	ListenerBytesPerSecond int
	// ListenerMessagesPerSecond is Limits.MessagesPerSecond for all connections of the listener together. If zero, no
	// limit.
	ListenerMessagesPerSecond float64
	// NewHandler makes the handler of a new connection, usually by wrapping one of f, under the rules of
	// [HandlerFactory]. If nil, f.NewHandler.
	NewHandler func(f HandlerFactory, conn ConnectionAdapter) (ConnectionHandler, error)
}

// listening is a listener that serves.
type listening struct {
	name     string
	listener Listener
	metrics  *listenerMetrics
	served   chan struct{} // closed when Serve has returned

	// Guarded by Gateway.mu.
	cfg    ListenerConfig
	limits *Limits
	rates  *sharedRates // nil if there are none
	topics *topicRules
}

// attachment has the parts of a new connection.
type attachment struct {
	metrics    *listenerMetrics
	limits     *Limits
	rates      *sharedRates
	handler    *lease[HandlerFactory]
	connector  *lease[Connector]
	topics     *topicRules
	newHandler func(HandlerFactory, ConnectionAdapter) (ConnectionHandler, error)
}

// AddListener serves l under name. Its handler and connector must have been added before.
func (g *Gateway) AddListener(name string, l Listener, cfg ListenerConfig) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return fmt.Errorf("adding listener %q: %w", name, errStopped)
	}
	if _, ok := g.listeners[name]; ok {
		return fmt.Errorf("adding listener %q: it already exists", name)
	}
	if err := g.checkListener(name, cfg); err != nil {
		return err
	}
	topics, err := newTopicRules(cfg)
	if err != nil {
		return fmt.Errorf("adding listener %q: %w", name, err)
	}
	limits := cfg.Limits.withDefaults()
	entry := &listening{
		name: name, listener: l, metrics: g.metrics.listener(name), served: make(chan struct{}), cfg: cfg,
		limits: &limits, topics: topics,
		rates: newSharedRates(cfg, g.now()),
	}
	g.listeners[name] = entry
	go func() {
		defer close(entry.served)
		if err := l.Serve(func(t Transport) (*Conn, error) { return g.attach(entry, t) }); err != nil {
			g.log.Error("listener ended", "listener", name, "error", err)
		}
	}()
	return nil
}

// ChangeListener changes the configuration of the listener's next connections. Open connections keep theirs.
func (g *Gateway) ChangeListener(name string, cfg ListenerConfig) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	entry, ok := g.listeners[name]
	if !ok {
		return fmt.Errorf("changing listener %q: it does not exist", name)
	}
	if err := g.checkListener(name, cfg); err != nil {
		return err
	}
	topics, err := newTopicRules(cfg)
	if err != nil {
		return fmt.Errorf("changing listener %q: %w", name, err)
	}
	limits := cfg.Limits.withDefaults()
	entry.cfg, entry.limits, entry.topics, entry.rates = cfg, &limits, topics, newSharedRates(cfg, g.now())
	return nil
}

func (g *Gateway) checkListener(name string, cfg ListenerConfig) error {
	if _, ok := g.handlers[cfg.Handler]; !ok {
		return fmt.Errorf("listener %q: no handler is named %q", name, cfg.Handler)
	}
	if _, ok := g.connectors[cfg.Connector]; !ok {
		return fmt.Errorf("listener %q: no connector is named %q", name, cfg.Connector)
	}
	return nil
}

// DetachListener stops a listener and leaves its connections as they are. The name can be used again.
func (g *Gateway) DetachListener(name string) error {
	_, err := g.stopListener("detaching", name)
	return err
}

// RemoveListener stops a listener and closes its connections with listener_removed. It waits until they have ended or
// ctx is done.
func (g *Gateway) RemoveListener(ctx context.Context, name string) error {
	entry, err := g.stopListener("removing", name)
	if entry == nil {
		return err
	}
	ofEntry := func(c *Conn) bool { return c.metrics == entry.metrics }
	for _, c := range g.connsWhere(ofEntry) {
		c.Close(ReasonListenerRemoved)
	}
	return errors.Join(err, g.waitEnded(ctx, ofEntry))
}

// stopListener stops a listener and waits until it no longer accepts. It returns a nil entry if there is no such
// listener.
func (g *Gateway) stopListener(doing, name string) (*listening, error) {
	g.mu.Lock()
	entry, ok := g.listeners[name]
	delete(g.listeners, name)
	g.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("%s listener %q: it does not exist", doing, name)
	}
	err := entry.listener.Close()
	<-entry.served
	return entry, err
}

var errNotServing = errors.New("listener was removed")

// attach makes the connection of an accepted socket and delivers OnSocketCreated.
func (g *Gateway) attach(entry *listening, t Transport) (*Conn, error) {
	a, err := g.attachment(entry)
	if err != nil {
		return nil, err
	}
	c, err := newConn(g, a, t)
	if err == nil {
		err = g.remember(entry, c)
	}
	if err != nil {
		a.handler.release()
		a.connector.release()
		g.refuse(entry, t, err)
		return nil, err
	}
	c.start()
	return c, nil
}

func (g *Gateway) refuse(entry *listening, t Transport, err error) {
	reason := ReasonHandlerUnavailable
	var h *HandlerError
	if errors.As(err, &h) {
		reason = h.Reason
	}
	if errors.Is(err, errNotServing) {
		reason = ReasonListenerRemoved
	}
	entry.metrics.refused(reason)
	if suppressed, ok := entry.metrics.refusedLines.Allow(reason.Name, time.Now()); ok {
		g.log.Warn("connection refused", "listener", entry.name, "peer", t.Info().Peer, "reason", reason.Name, "error",
			clip(err.Error()), "suppressed", suppressed)
	}
}

// attachment takes what new connections of the listener use.
func (g *Gateway) attachment(entry *listening) (*attachment, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := &attachment{
		metrics: entry.metrics, limits: entry.limits, rates: entry.rates, topics: entry.topics,
		newHandler: entry.cfg.NewHandler,
		handler:    g.handlers[entry.cfg.Handler], connector: g.connectors[entry.cfg.Connector],
	}
	if g.listeners[entry.name] != entry || !a.handler.take() {
		return nil, errNotServing
	}
	if !a.connector.take() {
		a.handler.release()
		return nil, errNotServing
	}
	if a.newHandler == nil {
		a.newHandler = HandlerFactory.NewHandler
	}
	return a, nil
}
