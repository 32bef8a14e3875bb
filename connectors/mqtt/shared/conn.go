package shared

import (
	"sync"

	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/runtime/gateway"
)

// receiveMaximum is the Receive Maximum of a shared connection, unless Config.ReceiveMaximum is larger. Messages are
// acknowledged once they are queued, so it does not bound the queues.
const receiveMaximum = 1000

// conn is one of the connections of shared sessions, with a publish queue for each.
type conn struct {
	client *client.Client
	shared *Connector
	routes routes

	wasUp sync.Once
	up    chan struct{} // closed after the first connect
}

var _ client.Owner = (*conn)(nil)

func newConn(s *Connector, name string) (c *conn, err error) {
	c = &conn{shared: s, up: make(chan struct{})}
	c.routes.conn = c
	if c.client, err = s.broker.NewOwn(name, c, receiveMaximum); err != nil {
		return nil, err
	}
	c.client.Start()
	return c, nil
}

// Message delivers a message to the devices that subscribed to its topic.
func (c *conn) Message(p *paho.Publish) {
	targets := c.routes.targets(p)
	for i, t := range *targets {
		payload := p.Payload
		if i > 0 { // a device may keep the payload
			payload = append([]byte(nil), payload...)
		}
		t.session.deliver(p, min(t.qos, p.QoS), payload)
	}
	recycleTargets(targets)
}

// Resuming is called before resubscribing.
func (c *conn) Resuming(present bool) { c.routes.resuming(present) }

// Connected publishes again which devices are online: the broker may have lost or missed it.
func (c *conn) Connected(present bool) {
	c.wasUp.Do(func() { close(c.up) })
	c.routes.connected(present)
	if !c.shared.status {
		return
	}
	for _, s := range c.shared.all() {
		if s.conn == c {
			s.announce()
		}
	}
}

// Lost is never called; this client always reconnects.
func (c *conn) Lost(gateway.CloseReason) {}
