package mqtt

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/connectors/mqtt/shared"
	"github.com/exgate/exgate/runtime/gateway"
)

// Connector opens a session at the broker for each device, with the device's client id, credentials and will.
type Connector struct {
	broker *client.Broker

	mu       sync.Mutex
	closed   bool                // guarded by mu, as all below
	sessions map[string]*Session // not ended, by client id
}

var _ gateway.Connector = (*Connector)(nil)

// New returns a Connector. It does not wait for the broker: Connect fails if the broker cannot be reached. Errors name
// the setting to change. The spool is opened as soon as no other process has it locked; Connect waits for that.
func New(cfg client.Config) (*Connector, error) {
	b, err := client.Open(cfg)
	if err != nil {
		return nil, err
	}
	return &Connector{broker: b, sessions: map[string]*Session{}}, nil
}

// Connect opens the session of a device. It waits for the spool and for one of Config.MaxDials slots until ctx ends;
// connecting is also bounded by Config.ConnectTimeout for each server.
func (c *Connector) Connect(ctx context.Context, device gateway.Device, password string,
	down gateway.Downlink,
) (gateway.Session, error) {
	s := &Session{connector: c, down: down}
	var err error
	if s.client, err = c.broker.NewDevice(&device, password, (*sessionEvents)(s)); err != nil {
		return nil, err
	}
	s.id, s.queue = device.ClientID, s.client.NewQueue(&device, s.lose)
	var old *Session
	err = s.client.Login(ctx, func() (err error) {
		old, err = c.register(s)
		return err
	})
	if err != nil {
		return nil, err
	}
	if old != nil { // mosquitto 2.0.11 closes it without DISCONNECT, and it would reconnect
		old.lose(client.DiscardedBy(s.id))
	}
	s.client.Announce()
	s.queue.UseSpool()
	return s, nil
}

// Shared returns a connector for shared sessions with the same broker and spool. It can be called once. Both connectors
// must be closed. It does not wait for the broker.
func (c *Connector) Shared(cfg shared.Config) (*shared.Connector, error) {
	return shared.New(c.broker, cfg)
}

// Watch starts monitoring whether the broker can be reached, even while no device is connected, and logs changes. It
// ends with Close. While a connection to the broker is open, no probes are sent. Otherwise the broker is probed every
// 15 s, or every 1 s to 12 s while it cannot be reached: by an MQTT connection with the gateway's account or, without
// an account, by a TCP connection.
func (c *Connector) Watch() {
	c.broker.WatchReach()
}

// Reachable returns nil if the broker could be reached when [Connector.Watch] last checked, or else the reason. It
// waits for the first answer until ctx ends.
func (c *Connector) Reachable(ctx context.Context) error {
	return c.broker.Reachable(ctx)
}

// register adds a session and returns the previous one with the client id.
func (c *Connector) register(s *Session) (old *Session, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, client.ErrClosed
	}
	old = c.sessions[s.id]
	c.sessions[s.id] = s
	if old == nil {
		c.broker.CountSessions(1)
	}
	return old, nil
}

func (c *Connector) sessionEnded(s *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions[s.id] == s {
		delete(c.sessions, s.id)
		c.broker.CountSessions(-1)
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
	return c.broker.Leave(ctx)
}

// Session is a device's own session at the broker: an MQTT client with one publish queue.
type Session struct {
	client    *client.Client
	id        string // the client id
	connector *Connector
	down      gateway.Downlink
	queue     *client.PublishQueue
	over      atomic.Bool
}

var (
	_ gateway.Session = (*Session)(nil)
	_ client.Owner    = (*sessionEvents)(nil)
)

// Publish implements [gateway.Session]. Without a spool, QoS 1 and 2 wait while the connection is lost. QoS 0 is
// refused then.
func (s *Session) Publish(name string, qos byte, payload []byte, props *gateway.Properties, done gateway.Done) {
	if s.connector.broker.IsControl(name) {
		client.Finish(done, controlRefused("publishing to", name))
		return
	}
	s.queue.Publish(name, qos, payload, props, done)
}

// Subscribe implements [gateway.Session].
func (s *Session) Subscribe(filter string, qos byte, done gateway.Done) {
	if s.connector.broker.IsControl(filter) {
		client.Finish(done, controlRefused("subscribing to", filter))
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
	cb := s.queue.Close()
	s.client.Leave()
	s.connector.sessionEnded(s)
	cb.Run()
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
	b := s.connector.broker
	switch {
	case s.over.Load():
	case b.IsControl(p.Topic):
		b.CountDropped(client.DropDenied)
	default:
		b.Deliver(s.down, p, p.QoS, p.Payload)
	}
}

// Lost is called when the client has ended.
func (e *sessionEvents) Lost(reason gateway.CloseReason) { (*Session)(e).lose(reason) }

func (*sessionEvents) Resuming(bool)  {}
func (*sessionEvents) Connected(bool) {}

// Retains reports whether the broker supports retained messages, according to the last CONNACK. It returns true while
// that is unknown.
func (s *Session) Retains() bool {
	return s.client.Retains()
}

// controlRefused is the result of a device's call for the control topic.
func controlRefused(what, name string) gateway.Result {
	return gateway.Refuse(gateway.CodePermissionDeny,
		"%s %.100q is not allowed: gateways use it among themselves (upstream.control_topic or state_topic)", what,
		name)
}
