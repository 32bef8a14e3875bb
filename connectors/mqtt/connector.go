package mqtt

import (
	"context"
	"fmt"
	"sync"

	"github.com/exgate/exgate/runtime/gateway"
)

// Connector gives each device a session of its own at the broker: its client id, its credentials, its will.
type Connector struct {
	*broker

	mu       sync.Mutex
	closed   bool                // guarded by mu, as all below
	sessions map[string]*Session // not ended, by client id
}

var _ gateway.Connector = (*Connector)(nil)

// New returns a Connector. It does not wait for the broker: one that cannot be reached is an error of Connect. Errors name the setting that is
// wrong. A spool is opened as soon as no other process has it; Connect waits for that.
func New(cfg Config) (*Connector, error) {
	b, err := newBroker(cfg)
	if err != nil {
		return nil, err
	}
	b.use()
	b.openSpool()
	if b.cfg.GatewayStatus.isSet() {
		b.houseClient()
	}
	return &Connector{broker: b, sessions: map[string]*Session{}}, nil
}

// Connect opens the session of a device. The waits for the spool and for one of Config.MaxDials places are bounded by ctx, what follows by
// Config.ConnectTimeout for each server too.
func (c *Connector) Connect(ctx context.Context, device gateway.Device, password string, down gateway.Downlink) (gateway.Session, error) {
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
	if old != nil { // mosquitto 2.0.11 closes it without DISCONNECT, and it would take the client id back
		old.lose(discardedBy(device.ClientID))
	}
	s.announce()
	s.lane.store(c.broker, device.ClientID)
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
	s := &Session{connector: c, down: down, props: c.publishProperties(device)}
	s.init(c.broker, device.ClientID, s)
	s.username, s.password, s.device, s.status = device.Username, password, &device, status
	s.lane.client, s.lane.from, s.lane.eject = &s.client, &device, s.lose
	return s, nil
}

// admit makes l the link of a new session, and returns the session that had its client id here.
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

// Close ends the sessions that are left, and waits for their connections until ctx ends.
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
