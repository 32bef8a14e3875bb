package client

import (
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/connectors/mqtt/wire"
	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// Packets from the broker are not trusted. A malformed packet ends the connection, since nothing after it can be parsed
// reliably. A message with an invalid topic is only refused: after a reconnect, the broker would send it again.

// refuse acknowledges a QoS 1 or 2 message with an error code and returns true if its topic is invalid.
func (l *link) refuse(p *packets.Publish) bool {
	if l.mayBeDelivered(p.Topic) {
		return false
	}
	if p.QoS == 1 {
		l.send(&packets.Puback{
			Properties: &packets.Properties{}, PacketID: p.PacketID,
			ReasonCode: packets.PubackTopicNameInvalid,
		})
	} else {
		l.send(&packets.Pubrec{
			Properties: &packets.Properties{}, PacketID: p.PacketID,
			ReasonCode: packets.PubrecTopicNameInvalid,
		})
	}
	return true
}

// mayBeDelivered reports whether the topic of a message is valid, and counts the message as dropped if not.
func (l *link) mayBeDelivered(name string) bool {
	err := topic.CheckReceived(name)
	if err == nil {
		return true
	}
	b := l.of.broker
	b.metrics.dropped.WithLabelValues(dropBadTopic).Inc()
	if more, ok := b.badTopics.Allow(time.Now()); ok {
		b.log.Warn("dropping a message from the broker with an invalid topic; find the client that publishes it",
			"broker", b.server().HostPort, "client_id", l.of.id, "error", err, "suppressed", more)
	}
	return false
}

// reason validates a reason code. An undefined code below 0x80 becomes a protocol error, so that the call does not
// count as successful.
func (b *Broker) reason(packet, code byte) byte {
	if code >= 0x80 || wire.IsGranted(packet, code) {
		return code
	}
	if more, ok := b.badCodes.Allow(time.Now()); ok {
		b.log.Warn("the broker answered with a reason code that MQTT 5 does not define; the call counts as refused",
			"broker", b.server().HostPort, "packet", packets.NewControlPacket(packet).PacketType(), "reason",
			wire.ReasonName(code), "suppressed", more)
	}
	return packets.DisconnectProtocolError
}

// completion validates the reason code of a PUBCOMP. Packet Identifier not found answers a repeated PUBREL, so it is
// success.
func (b *Broker) completion(code byte) byte {
	if code == packets.PubcompPacketIdentifierNotFound {
		return packets.PubcompSuccess
	}
	return b.reason(packets.PUBCOMP, code)
}

// reasons validates the codes of a SUBACK or UNSUBACK.
func (b *Broker) reasons(packet byte, codes []byte) []byte {
	checked := make([]byte, len(codes))
	for i, code := range codes {
		checked[i] = b.reason(packet, code)
	}
	return checked
}

// Deliver queues a message for a device.
func (b *Broker) Deliver(down gateway.Downlink, p *paho.Publish, qos byte, payload []byte) {
	b.metrics.received.Inc()
	ok := down.Deliver(gateway.Message{
		ID: b.ids.Next(), QoS: qos, Topic: p.Topic, Payload: payload,
		Timestamp: time.Now(), Properties: wire.MessageOf(p),
	})
	if !ok {
		b.metrics.dropped.WithLabelValues(dropDeviceFull).Inc()
	}
}

// receive reports whether a QoS 2 message is new.
func (c *Client) receive(id uint16) bool {
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

// released ends a QoS 2 message: its id may be reused.
func (c *Client) released(id uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.received, id)
	if len(c.received) == 0 {
		c.received = nil
	}
}

// forgetReceived is called if the broker has lost the session and reuses the ids.
func (c *Client) forgetReceived() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received = nil
}
