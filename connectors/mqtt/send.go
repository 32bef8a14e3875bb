package mqtt

import (
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho/session"

	"github.com/exgate/exgate/runtime/gateway"
)

// Everything here needs mu and a link.

// sendQoS0 is finished with the write buffer.
func (s *Session) sendQoS0(c *call) gateway.Result {
	p := publication{topic: c.topic, payload: c.payload}
	if r := s.link.fits(c.topic, p.size(), 0); !r.Ok() {
		return r
	}
	if !s.link.wire.publish(p) {
		s.connector.metrics.dropped.WithLabelValues(dropDown).Inc()
		return isDown
	}
	s.connector.metrics.publishedQoS[0].Inc()
	return gateway.OK
}

// send sends a call that waits for an acknowledgement, and reports whether it is finished because it cannot be sent.
func (s *Session) send(c *call) (r gateway.Result, finished bool) {
	if c.kind == publishing {
		if r := s.link.fits(c.topic, publication{topic: c.topic, payload: c.payload, qos: c.qos}.size(), c.qos); !r.Ok() {
			return r, true
		}
		c.id = s.nextID()
		s.publish = c
		s.sendPublish(c, false)
		return gateway.OK, false
	}
	c.id = s.nextID()
	c.deadline = time.Now().Add(s.connector.cfg.PacketTimeout)
	if s.waiting == nil {
		s.waiting = map[uint16]*call{}
	}
	s.waiting[c.id] = c
	s.link.send(c.packet())
	return gateway.OK, false
}

func (s *Session) sendPublish(c *call, again bool) {
	c.deadline = time.Now().Add(s.connector.cfg.AckTimeout)
	s.link.wire.publish(publication{topic: c.topic, payload: c.payload, id: c.id, qos: c.qos, dup: again})
	s.connector.metrics.publishedQoS[c.qos].Inc()
}

// packet is the SUBSCRIBE or UNSUBSCRIBE of a call.
func (c *call) packet() session.Packet {
	switch c.kind {
	case subscribing:
		return &packets.Subscribe{
			Properties: &packets.Properties{}, PacketID: c.id,
			Subscriptions: []packets.SubOptions{{Topic: c.topic, QoS: c.qos}},
		}
	case unsubscribing:
		return &packets.Unsubscribe{Properties: &packets.Properties{}, PacketID: c.id, Topics: []string{c.topic}}
	}
	p := &packets.Subscribe{Properties: &packets.Properties{}, PacketID: c.id}
	for _, f := range c.filters {
		p.Subscriptions = append(p.Subscriptions, packets.SubOptions{
			Topic: f.name, QoS: f.qos, RetainHandling: packets.RetainSendOnSubscribeIfNew,
		})
	}
	return p
}

// fits refuses what would make the broker cut the connection.
func (l *link) fits(topic string, size int, qos byte) gateway.Result {
	if int64(size) > l.maxSize {
		return gateway.Refuse(gateway.CodeLimit, "publishing to %q: the broker takes packets of at most %d bytes", topic, l.maxSize)
	}
	if qos > l.maxQoS {
		return gateway.Refuse(gateway.CodeUnsupported, "publishing to %q: the broker takes at most QoS %d", topic, l.maxQoS)
	}
	return gateway.OK
}

// nextID returns a packet id that nothing under way has.
func (s *Session) nextID() uint16 {
	for {
		s.lastID++
		if s.lastID == 0 || (s.publish != nil && s.publish.id == s.lastID) {
			continue
		}
		if _, taken := s.waiting[s.lastID]; !taken {
			return s.lastID
		}
	}
}
