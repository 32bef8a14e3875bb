package client

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/runtime/gateway"
)

// deviceConnector is the smallest Connector made of clients, for tests that look into them: each device has a client
// with one publish queue.
type deviceConnector struct {
	broker *Broker

	mu       sync.Mutex
	closed   bool                      // guarded by mu, as all below
	sessions map[string]*deviceSession // not ended, by client id
}

var _ gateway.Connector = (*deviceConnector)(nil)

func newDevices(t testing.TB, cfg Config) *deviceConnector {
	t.Helper()
	b, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := &deviceConnector{broker: b, sessions: map[string]*deviceSession{}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), brokertest.Patience)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Connect implements [gateway.Connector].
func (c *deviceConnector) Connect(ctx context.Context, device gateway.Device, password string,
	down gateway.Downlink,
) (gateway.Session, error) {
	s := &deviceSession{of: c, down: down}
	var err error
	if s.client, err = c.broker.NewDevice(&device, password, (*deviceEvents)(s)); err != nil {
		return nil, err
	}
	s.queue = s.client.NewQueue(&device, s.lose)
	var old *deviceSession
	err = s.client.Login(ctx, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.closed {
			return ErrClosed
		}
		old = c.sessions[device.ClientID]
		c.sessions[device.ClientID] = s
		return nil
	})
	if err != nil {
		return nil, err
	}
	if old != nil {
		old.lose(DiscardedBy(device.ClientID))
	}
	s.client.Announce()
	s.queue.UseSpool()
	return s, nil
}

// Close implements [gateway.Connector].
func (c *deviceConnector) Close(ctx context.Context) error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	left := make([]*deviceSession, 0, len(c.sessions))
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

// deviceSession is a session of a deviceConnector.
type deviceSession struct {
	of     *deviceConnector
	client *Client
	down   gateway.Downlink
	queue  *PublishQueue
	over   atomic.Bool
}

var _ gateway.Session = (*deviceSession)(nil)

func (s *deviceSession) Publish(name string, qos byte, payload []byte, props *gateway.Properties, done gateway.Done) {
	s.queue.Publish(name, qos, payload, props, done)
}

func (s *deviceSession) Subscribe(filter string, qos byte, done gateway.Done) {
	s.queue.Subscribe(filter, qos, done)
}

func (s *deviceSession) Unsubscribe(filter string, done gateway.Done) {
	s.queue.Unsubscribe(filter, done)
}

func (s *deviceSession) Close() { s.end() }

func (s *deviceSession) end() bool {
	if !s.over.CompareAndSwap(false, true) {
		return false
	}
	cb := s.queue.Close()
	s.client.Leave()
	s.of.mu.Lock()
	if id := s.client.id; s.of.sessions[id] == s {
		delete(s.of.sessions, id)
	}
	s.of.mu.Unlock()
	cb.Run()
	return true
}

func (s *deviceSession) lose(reason gateway.CloseReason) {
	if s.end() {
		s.down.SessionLost(reason)
	}
}

// deviceEvents is a deviceSession as the owner of its client.
type deviceEvents deviceSession

var _ Owner = (*deviceEvents)(nil)

func (e *deviceEvents) Message(p *paho.Publish) {
	s := (*deviceSession)(e)
	if !s.over.Load() {
		s.of.broker.Deliver(s.down, p, p.QoS, p.Payload)
	}
}

func (*deviceEvents) Resuming(bool)  {}
func (*deviceEvents) Connected(bool) {}

func (e *deviceEvents) Lost(reason gateway.CloseReason) { (*deviceSession)(e).lose(reason) }
