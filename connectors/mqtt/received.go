package mqtt

import (
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/connectors/mqtt/wire"
	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// A broker is another program's, and passes on what other clients sent it. What cannot be a packet of MQTT 5 ends the connection: what follows it
// cannot be trusted. A message with a topic that no client may publish to is refused by itself: a broker that ended up with it would send it again
// over the next connection.

// refuse acknowledges a message of QoS 1 or 2 as one that is not taken, and reports whether it has such a topic.
func (l *link) refuse(p *packets.Publish) bool {
	if l.mayBeDelivered(p.Topic) {
		return false
	}
	if p.QoS == 1 {
		l.send(&packets.Puback{Properties: &packets.Properties{}, PacketID: p.PacketID, ReasonCode: packets.PubackTopicNameInvalid})
	} else {
		l.send(&packets.Pubrec{Properties: &packets.Properties{}, PacketID: p.PacketID, ReasonCode: packets.PubrecTopicNameInvalid})
	}
	return true
}

// mayBeDelivered reports whether the topic of a message is one. The message is counted where it is not.
func (l *link) mayBeDelivered(name string) bool {
	err := topic.CheckReceived(name)
	if err == nil {
		return true
	}
	b := l.of.broker
	b.metrics.dropped.WithLabelValues(dropBadTopic).Inc()
	if more, ok := b.badTopics.Allow(time.Now()); ok {
		b.log.Warn("dropping a message that the broker sent: its topic is not one; find the client that publishes it",
			"broker", b.server().HostPort, "client_id", l.of.id, "error", err, "suppressed", more)
	}
	return false
}

// reason returns a reason code of an acknowledgement. One below 0x80 that the standard does not have in this packet becomes a protocol error: what it
// was meant to say is unknown, so the call has not succeeded.
func (b *broker) reason(packet, code byte) byte {
	if code >= 0x80 || wire.IsGranted(packet, code) {
		return code
	}
	if more, ok := b.badCodes.Allow(time.Now()); ok {
		b.log.Warn("the broker answered with a reason code that MQTT 5 does not have here; the call counts as refused",
			"broker", b.server().HostPort, "packet", packets.NewControlPacket(packet).PacketType(), "reason", wire.ReasonName(code), "suppressed", more)
	}
	return packets.DisconnectProtocolError
}

// completion returns the reason code of a PUBCOMP. One that does not know the packet id answers a PUBREL that was sent again: it had the first.
func (b *broker) completion(code byte) byte {
	if code == packets.PubcompPacketIdentifierNotFound {
		return packets.PubcompSuccess
	}
	return b.reason(packets.PUBCOMP, code)
}

// reasons returns those of a SUBACK or UNSUBACK.
func (b *broker) reasons(packet byte, codes []byte) []byte {
	checked := make([]byte, len(codes))
	for i, code := range codes {
		checked[i] = b.reason(packet, code)
	}
	return checked
}

// message hands a message to the device. The payload is paho's copy.
func (s *Session) message(p *paho.Publish) {
	s.client.mu.Lock()
	ended := s.ended
	s.client.mu.Unlock()
	switch {
	case ended:
		return
	case s.broker.isControl(p.Topic):
		s.broker.metrics.dropped.WithLabelValues(dropDenied).Inc()
		return
	}
	s.broker.deliver(s.down, p, p.QoS, p.Payload)
}

// deliver queues a message for a device.
func (b *broker) deliver(down gateway.Downlink, p *paho.Publish, qos byte, payload []byte) {
	b.metrics.received.Inc()
	ok := down.Deliver(gateway.Message{ID: b.ids.Next(), QoS: qos, Topic: p.Topic, Payload: payload, Timestamp: time.Now()})
	if !ok {
		b.metrics.dropped.WithLabelValues(dropDeviceFull).Inc()
	}
}

// receive reports whether a message of QoS 2 is new.
func (c *client) receive(id uint16) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, again := c.received[id]; again {
		return false
	}
	if c.received == nil {
		c.received = map[uint16]struct{}{}
	}
	c.received[id] = struct{}{}
	return true
}

// released ends a message of QoS 2: its id may mean another one now.
func (c *client) released(id uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.received, id)
	if len(c.received) == 0 {
		c.received = nil
	}
}

// forgetReceived is for a broker that has lost the session: it uses the ids anew.
func (c *client) forgetReceived() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received = nil
}
