package mqtt

import (
	"context"
	"slices"
	"sync"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/runtime/gateway"
)

// carrier is one of the connections that shared sessions are lanes on.
type carrier struct {
	client
	shared *Shared
	routes routes

	wasUp sync.Once
	up    chan struct{} // closed when it was connected once
	idle  int           // lanes of blocked that have ended since they were looked through; guarded by client.mu
}

var _ owner = (*carrier)(nil)

func newCarrier(s *Shared, name string) (*carrier, error) {
	b := s.broker
	c := &carrier{shared: s, up: make(chan struct{})}
	c.routes.carrier = c
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isClosed() {
		return nil, errClosed
	}
	b.initOwn(&c.client, name, c)
	c.inboundMax = max(b.cfg.ReceiveMaximum, sharedReceiveMaximum)
	c.reconnect()
	return c, nil
}

// message hands a message to the devices that subscribed to its topic.
func (c *carrier) message(p *paho.Publish) {
	targets := c.routes.targets(p)
	for i, t := range *targets {
		payload := p.Payload
		if i > 0 { // a device may keep its own
			payload = append([]byte(nil), payload...)
		}
		t.session.deliver(p, min(t.qos, p.QoS), payload)
	}
	recycleTargets(targets)
}

// resuming is called before anything is subscribed again.
func (c *carrier) resuming(present bool) { c.routes.resuming(present) }

// connected says again who is online: the broker may have lost that, or have missed it.
func (c *carrier) connected(present bool) {
	c.wasUp.Do(func() { close(c.up) })
	c.routes.connected(present)
	if !c.broker.cfg.DeviceStatus.isSet() {
		return
	}
	for _, s := range c.shared.all() {
		if s.carrier == c {
			s.announce()
		}
	}
}

// left is called with the lane of a session that has ended: its device is told no more of what was sent. Lanes that wait for the connection and have
// nothing to send any more are forgotten when they are most.
func (c *carrier) left(l *lane) (told outcomes) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.publish != nil {
		told.add(l.publish, gone)
	}
	if l.probing != nil {
		told.add(l.probing, gone)
	}
	if !l.blocked {
		return told
	}
	c.idle++
	if c.idle > len(c.blocked)/2 {
		c.idle = 0
		c.blocked = slices.DeleteFunc(c.blocked, func(l *lane) bool { return l.ended && l.queue.empty() })
	}
	return told
}

// lost cannot be: the client insists.
func (c *carrier) lost(gateway.CloseReason) {}

// settle waits for what the carriers have to say of devices that left.
func (s *Shared) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for _, c := range s.carriers {
		c.settle(ctx)
	}
}

// subscriptionID is the identifier that the broker sent with a message, or 0.
func subscriptionID(p *paho.Publish) uint32 {
	if p.Properties == nil || p.Properties.SubscriptionIdentifier == nil {
		return 0
	}
	return uint32(*p.Properties.SubscriptionIdentifier)
}
