package client

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// queueConnector is the smallest Connector whose devices have publish queues on one client, for tests that look into
// it. A device gets every message that matches one of its filters.
type queueConnector struct {
	broker *Broker
	client *Client
	up     chan struct{} // closed after the first connect
	wasUp  sync.Once

	mu       sync.Mutex
	closed   bool                     // guarded by mu, as all below
	sessions map[string]*queueSession // not ended, by client id
	waiting  []func()                 // subscriptions that wait for the connection
}

var (
	_ gateway.Connector = (*queueConnector)(nil)
	_ Owner             = (*queueConnector)(nil)
)

func newQueues(t testing.TB, cfg Config) *queueConnector {
	t.Helper()
	b, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := &queueConnector{broker: b, up: make(chan struct{}), sessions: map[string]*queueSession{}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), brokertest.Patience)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if c.client, err = b.NewOwn("shared-1", c, 1000); err != nil {
		t.Fatal(err)
	}
	c.client.Start()
	return c
}

// Connect implements [gateway.Connector].
func (c *queueConnector) Connect(ctx context.Context, device gateway.Device, password string,
	down gateway.Downlink,
) (gateway.Session, error) {
	if err := c.broker.CheckDevice(device, password); err != nil {
		return nil, err
	}
	if err := c.broker.SpoolOpened(ctx); err != nil {
		return nil, err
	}
	if !c.broker.HasSpool() {
		select {
		case <-c.up:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s := &queueSession{of: c, device: device, down: down, filters: map[string]bool{}}
	s.queue = c.client.NewQueue(&s.device, s.lose)
	c.mu.Lock()
	old := c.sessions[device.ClientID]
	c.sessions[device.ClientID] = s
	c.mu.Unlock()
	if old != nil {
		old.lose(DiscardedBy(device.ClientID))
	}
	s.queue.UseSpool()
	return s, nil
}

// Close implements [gateway.Connector].
func (c *queueConnector) Close(ctx context.Context) error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	left := make([]*queueSession, 0, len(c.sessions))
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

// Message passes a message to the devices.
func (c *queueConnector) Message(p *paho.Publish) {
	c.mu.Lock()
	var to []*queueSession
	for _, s := range c.sessions {
		for filter := range s.filters {
			if topic.Matches(filter, p.Topic) {
				to = append(to, s)
				break
			}
		}
	}
	c.mu.Unlock()
	for _, s := range to {
		c.broker.Deliver(s.down, p, p.QoS, p.Payload)
	}
}

// Connected subscribes for those who wait.
func (c *queueConnector) Connected(bool) {
	c.wasUp.Do(func() { close(c.up) })
	c.mu.Lock()
	waiting := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	for _, subscribe := range waiting {
		subscribe()
	}
}

func (*queueConnector) Resuming(bool)            {}
func (*queueConnector) Lost(gateway.CloseReason) {}

// queueSession is a session of a queueConnector.
type queueSession struct {
	of      *queueConnector
	device  gateway.Device
	down    gateway.Downlink
	queue   *PublishQueue
	filters map[string]bool // guarded by of.mu
	over    atomic.Bool
}

var _ gateway.Session = (*queueSession)(nil)

func (s *queueSession) Publish(name string, qos byte, payload []byte, props *gateway.Properties, done gateway.Done) {
	s.queue.Publish(name, qos, payload, props, done)
}

func (s *queueSession) Subscribe(filter string, qos byte, done gateway.Done) {
	if r := CheckFilter(filter, qos); !r.Ok() {
		Finish(done, r)
		return
	}
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.filters[filter] = true
	switch r, taken := s.of.client.TrySubscribe(filter, qos, 0, &s.device, done); {
	case taken:
	case r.Ok():
		s.of.waiting = append(s.of.waiting, func() { s.Subscribe(filter, qos, done) })
	default:
		go Finish(done, r)
	}
}

func (s *queueSession) Unsubscribe(filter string, done gateway.Done) {
	s.of.mu.Lock()
	delete(s.filters, filter)
	s.of.mu.Unlock()
	_, taken := s.of.client.TryUnsubscribe(filter, done)
	s.of.client.DropFilter(filter)
	if !taken {
		Finish(done, gateway.OK)
	}
}

func (s *queueSession) Close() { s.end() }

func (s *queueSession) end() bool {
	if !s.over.CompareAndSwap(false, true) {
		return false
	}
	cb := s.of.client.Forget(s.queue)
	s.of.mu.Lock()
	if id := s.device.ClientID; s.of.sessions[id] == s {
		delete(s.of.sessions, id)
	}
	s.of.mu.Unlock()
	cb.Run()
	return true
}

func (s *queueSession) lose(reason gateway.CloseReason) {
	if s.end() {
		s.down.SessionLost(reason)
	}
}
