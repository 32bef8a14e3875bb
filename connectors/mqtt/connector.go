package mqtt

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/runtime/gateway"
)

// Connector opens a session at the broker for each device, with the device's client id, credentials and will.
type Connector struct {
	broker *broker

	mu       sync.Mutex
	closed   bool                // guarded by mu, as all below
	sessions map[string]*Session // not ended, by client id
}

var _ gateway.Connector = (*Connector)(nil)

// New returns a Connector. It does not wait for the broker: Connect fails if the broker cannot be reached. Errors name
// the setting to change. The spool is opened as soon as no other process has it locked; Connect waits for that.
func New(cfg Config) (*Connector, error) {
	b, err := newBroker(cfg)
	if err != nil {
		return nil, err
	}
	b.use()
	b.openSpool()
	if b.cfg.GatewayStatus.isSet() {
		b.gatewayClient()
	}
	return &Connector{broker: b, sessions: map[string]*Session{}}, nil
}

// Connect opens the session of a device. It waits for the spool and for one of Config.MaxDials slots until ctx ends;
// connecting is also bounded by Config.ConnectTimeout for each server.
func (c *Connector) Connect(ctx context.Context, device gateway.Device, password string,
	down gateway.Downlink,
) (gateway.Session, error) {
	if err := c.broker.offenders.refuse(device); err != nil {
		return nil, err
	}
	if err := c.broker.checkUserProperties(device); err != nil {
		return nil, err
	}
	s, err := c.newSession(device, password, down)
	if err != nil {
		return nil, err
	}
	if err := c.broker.spoolOpened(ctx); err != nil {
		return nil, err
	}
	l, err := c.broker.open(ctx, s.client, c.broker.cfg.cleanStart())
	c.broker.metrics.connected(err)
	if err != nil {
		return nil, err
	}
	old, err := c.admit(s, l)
	if err != nil {
		l.wire.Fail(err)
		return nil, err
	}
	if old != nil { // mosquitto 2.0.11 closes it without DISCONNECT, and it would reconnect
		old.lose(discardedBy(device.ClientID))
	}
	s.client.announce()
	s.queue.UseSpool()
	return s, nil
}

func (c *Connector) newSession(device gateway.Device, password string, down gateway.Downlink) (*Session, error) {
	if err := c.broker.checkLogin(device, password); err != nil {
		return nil, err
	}
	status, err := c.broker.cfg.DeviceStatus.of(device)
	if err != nil {
		return nil, err
	}
	s := &Session{connector: c, down: down, client: &client{}}
	s.client.init(c.broker, device.ClientID, (*sessionEvents)(s))
	s.client.username, s.client.password, s.client.device, s.client.status = device.Username, password, &device, status
	s.queue = s.client.newQueue(&device, s.lose)
	return s, nil
}

// admit attaches l to a new session and returns the previous session with the client id.
func (c *Connector) admit(s *Session, l *link) (old *Session, err error) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	if l.dead {
		return nil, fmt.Errorf("the broker %s closed the connection after CONNACK", c.broker.server().HostPort)
	}
	if err := c.broker.clientBegan(s.client); err != nil {
		return nil, err
	}
	s.client.attach(l)
	old = c.sessions[s.client.id]
	c.sessions[s.client.id] = s
	if old == nil {
		c.broker.metrics.sessions.Inc()
	}
	return old, nil
}

func (c *Connector) sessionEnded(s *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions[s.client.id] == s {
		delete(c.sessions, s.client.id)
		c.broker.metrics.sessions.Dec()
	}
}

// Close ends the remaining sessions and waits for their connections until ctx ends.
func (c *Connector) Close(ctx context.Context) error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	left := make([]*Session, 0, len(c.sessions))
	for _, s := range c.sessions {
		left = append(left, s)
	}
	c.mu.Unlock()
	if !first {
		return nil
	}
	for _, s := range left {
		s.lose(gateway.ReasonShutdown)
	}
	return c.broker.leave(ctx)
}

// Session is a device's own session at the broker: an MQTT client with one publish queue.
type Session struct {
	client    *client
	connector *Connector
	down      gateway.Downlink
	queue     *publishQueue
	over      atomic.Bool
}

var (
	_ gateway.Session = (*Session)(nil)
	_ owner           = (*sessionEvents)(nil)
)

// Publish implements [gateway.Session]. Without a spool, QoS 1 and 2 wait while the connection is lost. QoS 0 is
// refused then.
func (s *Session) Publish(name string, qos byte, payload []byte, done gateway.Done) {
	if s.client.broker.isControl(name) {
		finish(done, controlRefused("publishing to", name))
		return
	}
	s.queue.Publish(name, qos, payload, done)
}

// Subscribe implements [gateway.Session].
func (s *Session) Subscribe(filter string, qos byte, done gateway.Done) {
	if s.client.broker.isControl(filter) {
		finish(done, controlRefused("subscribing to", filter))
		return
	}
	s.queue.Subscribe(filter, qos, done)
}

// Unsubscribe implements [gateway.Session].
func (s *Session) Unsubscribe(filter string, done gateway.Done) {
	s.queue.Unsubscribe(filter, done)
}

// Close implements [gateway.Session].
func (s *Session) Close() { s.end() }

// end reports false if the session had already ended.
func (s *Session) end() bool {
	if !s.over.CompareAndSwap(false, true) {
		return false
	}
	cb := s.queue.close()
	s.client.leave()
	s.connector.sessionEnded(s)
	cb.run()
	return true
}

// lose ends the session and notifies the device.
func (s *Session) lose(reason gateway.CloseReason) {
	if s.end() {
		s.down.SessionLost(reason)
	}
}

// sessionEvents is a Session as the owner of its client.
type sessionEvents Session

// Message delivers a message to the device. paho does not reuse the payload.
func (e *sessionEvents) Message(p *paho.Publish) {
	s := (*Session)(e)
	s.client.mu.Lock()
	ended := s.client.ended
	s.client.mu.Unlock()
	switch {
	case ended:
		return
	case s.client.broker.isControl(p.Topic):
		s.client.broker.metrics.dropped.WithLabelValues(dropDenied).Inc()
		return
	}
	s.client.broker.deliver(s.down, p, p.QoS, p.Payload)
}

// Lost is called when the client has ended.
func (e *sessionEvents) Lost(reason gateway.CloseReason) { (*Session)(e).lose(reason) }

func (*sessionEvents) Resuming(bool)  {}
func (*sessionEvents) Connected(bool) {}

// Retains reports whether the broker supports retained messages, according to the last CONNACK. It returns true while
// that is unknown.
func (s *Session) Retains() bool {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.client.link == nil || !s.client.link.noRetain
}
