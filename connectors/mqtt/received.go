package mqtt

import (
	"fmt"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/internal/topic"
)

// A broker is another program's, and passes on what other clients sent it. What cannot be a packet of MQTT 5 ends the connection: what follows it
// cannot be trusted. A message with a topic that no client may publish to is refused by itself: a broker that ended up with it would send it again
// over the next connection.

// A violation is what a broker sent against the standard, and ends the connection with a reason.
type violation struct {
	reason byte // of our DISCONNECT
	what   string
}

func (v *violation) Error() string {
	return "the broker broke the rules of MQTT 5: " + v.what + " (" + reasonName(v.reason) + ")"
}

var errUnreadable = &violation{packets.DisconnectMalformedPacket, "a packet cannot be read"}

// checkPublish finds what ends the connection. CONNECT allowed no Topic Alias.
func checkPublish(qos byte, id uint16, alias *uint16) *violation {
	switch {
	case alias != nil:
		return &violation{packets.DisconnectTopicAliasInvalid, "a message has a topic alias, and none was allowed"}
	case qos > 2:
		return &violation{packets.DisconnectMalformedPacket, "a message has QoS 3"}
	case qos > 0 && id == 0:
		return &violation{packets.DisconnectProtocolError, "a message has packet id 0"}
	}
	return nil
}

// checkConnack finds values that the standard does not have.
func checkConnack(p *paho.ConnackProperties) *violation {
	switch {
	case p == nil:
		return nil
	case p.ReceiveMaximum != nil && *p.ReceiveMaximum == 0:
		return &violation{packets.DisconnectProtocolError, "CONNACK has Receive Maximum 0"}
	case p.MaximumPacketSize != nil && *p.MaximumPacketSize == 0:
		return &violation{packets.DisconnectProtocolError, "CONNACK has Maximum Packet Size 0"}
	case p.MaximumQoS != nil && *p.MaximumQoS > 1:
		return &violation{packets.DisconnectProtocolError, fmt.Sprintf("CONNACK has Maximum QoS %d", *p.MaximumQoS)}
	}
	return nil
}

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
			"broker", b.server().hostPort, "client_id", l.of.id, "error", err, "suppressed", more)
	}
	return false
}

// The reason codes below 0x80 with which the broker grants a call, by packet type, MQTT 5, section 2.4.
var granted = map[byte][]byte{
	packets.PUBACK:   {0x00, 0x10},
	packets.PUBREC:   {0x00, 0x10},
	packets.PUBCOMP:  {0x00},
	packets.SUBACK:   {0x00, 0x01, 0x02},
	packets.UNSUBACK: {0x00, 0x11},
}

// reason returns a reason code of an acknowledgement. One below 0x80 that the standard does not have in this packet becomes a protocol error: what it
// was meant to say is unknown, so the call has not succeeded.
func (b *broker) reason(packet, code byte) byte {
	if code >= 0x80 {
		return code
	}
	for _, known := range granted[packet] {
		if code == known {
			return code
		}
	}
	if more, ok := b.badCodes.Allow(time.Now()); ok {
		b.log.Warn("the broker answered with a reason code that MQTT 5 does not have here; the call counts as refused",
			"broker", b.server().hostPort, "packet", packets.NewControlPacket(packet).PacketType(), "reason", reasonName(code), "suppressed", more)
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
