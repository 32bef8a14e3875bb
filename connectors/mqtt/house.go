package mqtt

import (
	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/runtime/gateway"
)

// houseClient is the gateway's own client, for what is no device's: its status, what devices left in the spool, and the control topic of shared
// sessions. It connects in the background and comes back whatever happens. It is nil once the broker is closed.
func (b *broker) houseClient() *client {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.house == nil && !b.isClosed() {
		b.house = &client{}
		b.initOwn(b.house, "gateway", house{b})
		b.house.status = b.cfg.GatewayStatus.ofNode(b.cfg.Node)
		b.house.reconnect()
	}
	return b.house
}

func (b *broker) existingHouse() *client {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.house
}

// initOwn makes c a client with the gateway's own account. It needs mu.
func (b *broker) initOwn(c *client, name string, o owner) {
	c.init(b, "exgate-"+b.cfg.Node+"-"+name, o)
	c.username, c.password, c.rival = b.cfg.Username, b.cfg.Password, insists
	b.clients[c] = struct{}{}
}

// adopt publishes what the spool has of a device that has no session.
func (b *broker) adopt(id string) {
	if c := b.houseClient(); c != nil {
		l := &lane{client: c, orphan: true}
		l.store(b, id)
	}
}

// house owns the gateway's own client.
type house struct{ broker *broker }

var _ owner = house{}

func (h house) message(p *paho.Publish) {
	if s := h.broker.shared.Load(); s != nil {
		s.control.message(p)
	}
}

func (house) resuming(bool) {}

func (h house) connected(present bool) {
	if s := h.broker.shared.Load(); s != nil {
		s.control.connected(present)
	}
}

func (house) lost(gateway.CloseReason) {}
