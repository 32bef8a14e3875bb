package mqtt

import (
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho/session"

	"github.com/exgate/exgate/runtime/gateway"
)

// Everything here needs mu and a link.

// sendQoS0 is finished with the write buffer.
func (c *client) sendQoS0(k *call) gateway.Result {
	if r := c.link.fits(k); !r.Ok() {
		return r
	}
	if !c.link.wire.publish(k.publication()) {
		c.broker.metrics.dropped.WithLabelValues(dropDown).Inc()
		return isDown
	}
	c.broker.metrics.publishedQoS[0].Inc()
	return gateway.OK
}

// send sends a call that waits for an acknowledgement, and reports whether it is finished because it cannot be sent.
func (c *client) send(k *call) (r gateway.Result, finished bool) {
	if k.kind == publishing {
		if r := c.link.fits(k); !r.Ok() {
			return r, true
		}
		c.begin(k)
		return gateway.OK, false
	}
	k.id = c.nextID()
	k.deadline = time.Now().Add(c.broker.cfg.PacketTimeout)
	if c.waiting == nil {
		c.waiting = map[uint16]*call{}
	}
	c.waiting[k.id] = k
	c.link.send(k.packet())
	return gateway.OK, false
}

// begin sends a publish of QoS 1 or 2 for the first time.
func (c *client) begin(k *call) {
	c.lastSeq++
	k.id, k.seq = c.nextID(), c.lastSeq
	if c.inflight == nil {
		c.inflight = map[uint16]*call{}
	}
	c.inflight[k.id] = k
	if !k.lane.wide {
		k.lane.publish = k
	}
	c.sendPublish(k, false)
}

func (c *client) sendPublish(k *call, again bool) {
	c.quota--
	k.deadline = time.Now().Add(c.broker.cfg.AckTimeout)
	p := k.publication()
	p.dup = again
	c.link.wire.publish(p)
	c.broker.metrics.publishedQoS[k.qos].Inc()
}

// packet is the SUBSCRIBE or UNSUBSCRIBE of a call.
func (c *call) packet() session.Packet {
	switch c.kind {
	case subscribing:
		return subscribe(c.id, c.subID, []packets.SubOptions{{Topic: c.topic, QoS: c.qos}})
	case unsubscribing:
		return &packets.Unsubscribe{Properties: &packets.Properties{}, PacketID: c.id, Topics: []string{c.topic}}
	}
	var again []packets.SubOptions
	for _, f := range c.filters {
		again = append(again, packets.SubOptions{Topic: f.name, QoS: f.qos, RetainHandling: packets.RetainSendOnSubscribeIfNew})
	}
	return subscribe(c.id, c.subID, again)
}

func subscribe(packetID uint16, subID uint32, options []packets.SubOptions) *packets.Subscribe {
	p := &packets.Subscribe{Properties: &packets.Properties{}, PacketID: packetID, Subscriptions: options}
	if subID > 0 {
		id := int(subID)
		p.Properties.SubscriptionIdentifier = &id
	}
	return p
}

// unfit returns the reason code with which the broker would cut the connection for k, or 0.
func (l *link) unfit(k *call) (reason byte) {
	switch {
	case int64(k.publication().size()) > l.maxSize:
		return packets.DisconnectPacketTooLarge
	case k.qos > l.maxQoS:
		return packets.DisconnectQoSNotSupported
	}
	return 0
}

// fits refuses what would make the broker cut the connection.
func (l *link) fits(k *call) gateway.Result {
	switch l.unfit(k) {
	case packets.DisconnectPacketTooLarge:
		return gateway.Refuse(gateway.CodeLimit, "publishing to %q: the broker takes packets of at most %d bytes", k.topic, l.maxSize)
	case packets.DisconnectQoSNotSupported:
		return gateway.Refuse(gateway.CodeUnsupported, "publishing to %q: the broker takes at most QoS %d", k.topic, l.maxQoS)
	}
	return gateway.OK
}

// nextID returns a packet id that nothing under way has. There is one: the broker's Receive Maximum is below the number of ids.
func (c *client) nextID() uint16 {
	for {
		c.lastID++
		if c.lastID == 0 {
			continue
		}
		_, published := c.inflight[c.lastID]
		_, asked := c.waiting[c.lastID]
		if !published && !asked {
			return c.lastID
		}
	}
}
