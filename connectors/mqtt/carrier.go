package mqtt

import (
	"context"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/runtime/gateway"
)

// carrier is one of the connections that shared sessions are lanes on.
type carrier struct {
	client
	shared *Shared
	routes routes
}

var _ owner = (*carrier)(nil)

func newCarrier(s *Shared, name string) (*carrier, error) {
	b := s.broker
	c := &carrier{shared: s}
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

func (c *carrier) connected(present bool) { c.routes.connected(present) }

// lost cannot be: the client insists.
func (c *carrier) lost(gateway.CloseReason) {}

// settle waits for what the carriers have to say of devices that left.
func (s *Shared) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
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
