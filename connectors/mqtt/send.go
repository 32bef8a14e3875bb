package mqtt

import (
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho/session"

	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// Everything here needs mu and a link.

// sendQoS0 is finished with the write buffer.
func (c *client) sendQoS0(k *call) gateway.Result {
	if r := c.link.fits(k); !r.Ok() {
		return r
	}
	k.retain = k.retain && !c.link.noRetain
	if !c.link.wire.Publish(k.publication()) {
		c.broker.metrics.dropped.WithLabelValues(dropDown).Inc()
		return isDown
	}
	c.broker.metrics.publishedQoS[0].Inc()
	c.noteQoS0(k)
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
	if r := c.link.fits(k); !r.Ok() {
		return r, true
	}
	c.ask(k)
	return gateway.OK, false
}

// ask sends a SUBSCRIBE or UNSUBSCRIBE.
func (c *client) ask(k *call) {
	k.id = c.nextID()
	k.deadline = time.Now().Add(c.broker.cfg.PacketTimeout)
	if c.waiting == nil {
		c.waiting = map[uint16]*call{}
	}
	c.waiting[k.id] = k
	if c.link.noSubIDs { // the server before this one may have had them
		k.subID = 0
	}
	c.link.send(k.packet())
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
	k.retain = k.retain && !c.link.noRetain
	p := k.publication()
	p.Dup = again
	c.link.wire.Publish(p)
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
	if k.kind != publishing {
		return l.unfitFilter(k)
	}
	switch {
	case int64(k.publication().Size()) > l.maxSize:
		return packets.DisconnectPacketTooLarge
	case k.qos > l.maxQoS:
		return packets.DisconnectQoSNotSupported
	}
	return 0
}

// unfitFilter is unfit for SUBSCRIBE and UNSUBSCRIBE, which have a topic, a packet id and at most one property beside their fixed header.
func (l *link) unfitFilter(k *call) (reason byte) {
	_, shared := topic.Unshare(k.topic)
	switch {
	case int64(len(k.topic))+subscribeOverhead > l.maxSize:
		return packets.DisconnectPacketTooLarge
	case k.kind == unsubscribing:
		return 0
	case shared && l.noShare:
		return packets.DisconnectSharedSubscriptionNotSupported
	case l.noWild && isWild(k.topic):
		return packets.DisconnectWildcardSubscriptionsNotSupported
	}
	return 0
}

const subscribeOverhead = 20 // bytes

// fits refuses what would make the broker cut the connection.
func (l *link) fits(k *call) gateway.Result {
	what := k.kind.String()
	switch l.unfit(k) {
	case packets.DisconnectPacketTooLarge:
		return gateway.Refuse(gateway.CodeLimit, "%s %.200q: the broker takes packets of at most %d bytes", what, k.topic, l.maxSize)
	case packets.DisconnectQoSNotSupported:
		return gateway.Refuse(gateway.CodeUnsupported, "%s %.200q: the broker takes at most QoS %d", what, k.topic, l.maxQoS)
	case packets.DisconnectSharedSubscriptionNotSupported:
		return gateway.Refuse(gateway.CodeUnsupported, "%s %.200q: the broker has no shared subscriptions", what, k.topic)
	case packets.DisconnectWildcardSubscriptionsNotSupported:
		return gateway.Refuse(gateway.CodeUnsupported, "%s %.200q: the broker has no subscriptions with wildcards", what, k.topic)
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
