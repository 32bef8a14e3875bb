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
	*broker

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
	if err := c.offenders.refuse(device); err != nil {
		return nil, err
	}
	if err := c.checkUserProperties(device); err != nil {
		return nil, err
	}
	s, err := c.newSession(device, password, down)
	if err != nil {
		return nil, err
	}
	if err := c.spoolOpened(ctx); err != nil {
		return nil, err
	}
	l, err := c.open(ctx, &s.client, c.cfg.cleanStart())
	c.metrics.connected(err)
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
	s.announce()
	s.queue.UseSpool()
	return s, nil
}

func (c *Connector) newSession(device gateway.Device, password string, down gateway.Downlink) (*Session, error) {
	if err := c.checkLogin(device, password); err != nil {
		return nil, err
	}
	status, err := c.cfg.DeviceStatus.of(device)
	if err != nil {
		return nil, err
	}
	s := &Session{connector: c, down: down}
	s.init(c.broker, device.ClientID, (*sessionEvents)(s))
	s.username, s.password, s.device, s.status = device.Username, password, &device, status
	s.queue = s.newQueue(&device, s.lose)
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
		return nil, fmt.Errorf("the broker %s closed the connection after CONNACK", c.server().HostPort)
	}
	if err := c.clientBegan(&s.client); err != nil {
		return nil, err
	}
	s.attach(l)
	old = c.sessions[s.id]
	c.sessions[s.id] = s
	if old == nil {
		c.metrics.sessions.Inc()
	}
	return old, nil
}

func (c *Connector) sessionEnded(s *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions[s.id] == s {
		delete(c.sessions, s.id)
		c.metrics.sessions.Dec()
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
	return c.leave(ctx)
}

// Session is a device's own session at the broker: an MQTT client with one publish queue.
type Session struct {
	client
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
	if s.broker.isControl(name) {
		finish(done, controlRefused("publishing to", name))
		return
	}
	s.queue.Publish(name, qos, payload, done)
}

// Subscribe implements [gateway.Session].
func (s *Session) Subscribe(filter string, qos byte, done gateway.Done) {
	if s.broker.isControl(filter) {
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
	s.leave()
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
	ended := s.ended
	s.client.mu.Unlock()
	switch {
	case ended:
		return
	case s.broker.isControl(p.Topic):
		s.broker.metrics.dropped.WithLabelValues(dropDenied).Inc()
		return
	}
	s.broker.deliver(s.down, p, p.QoS, p.Payload)
}

// Lost is called when the client has ended.
func (e *sessionEvents) Lost(reason gateway.CloseReason) { (*Session)(e).lose(reason) }

func (*sessionEvents) Resuming(bool)  {}
func (*sessionEvents) Connected(bool) {}

// Retains reports whether the broker supports retained messages, according to the last CONNACK. It returns true while
// that is unknown.
func (s *Session) Retains() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link == nil || !s.link.noRetain
}
