package wire

import (
	"fmt"
	"slices"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
)

// Violation is a protocol error of the broker, which ends the connection.
type Violation struct {
	Reason byte // of our DISCONNECT
	what   string
}

func (v *Violation) Error() string {
	return "the broker broke the rules of MQTT 5: " + v.what + " (" + ReasonName(v.Reason) + ")"
}

var errUnreadable = &Violation{packets.DisconnectMalformedPacket, "a packet cannot be read"}

// CheckPublish finds protocol errors in a PUBLISH. CONNECT allowed no Topic Alias.
func CheckPublish(qos byte, id uint16, alias *uint16) *Violation {
	switch {
	case alias != nil:
		return &Violation{packets.DisconnectTopicAliasInvalid, "a message has a topic alias, and none was allowed"}
	case qos > 2:
		return &Violation{packets.DisconnectMalformedPacket, "a message has QoS 3"}
	case qos > 0 && id == 0:
		return &Violation{packets.DisconnectProtocolError, "a message has packet id 0"}
	}
	return nil
}

// CheckConnack finds undefined values.
func CheckConnack(p *paho.ConnackProperties) *Violation {
	switch {
	case p == nil:
		return nil
	case p.ReceiveMaximum != nil && *p.ReceiveMaximum == 0:
		return &Violation{packets.DisconnectProtocolError, "CONNACK has Receive Maximum 0"}
	case p.MaximumPacketSize != nil && *p.MaximumPacketSize == 0:
		return &Violation{packets.DisconnectProtocolError, "CONNACK has Maximum Packet Size 0"}
	case p.MaximumQoS != nil && *p.MaximumQoS > 1:
		return &Violation{packets.DisconnectProtocolError, fmt.Sprintf("CONNACK has Maximum QoS %d", *p.MaximumQoS)}
	}
	return nil
}

// granted has the success codes by packet type, MQTT 5, section 2.4.
var granted = map[byte][]byte{
	packets.PUBACK:   {0x00, 0x10},
	packets.PUBREC:   {0x00, 0x10},
	packets.PUBCOMP:  {0x00},
	packets.SUBACK:   {0x00, 0x01, 0x02},
	packets.UNSUBACK: {0x00, 0x11},
}

// IsGranted reports whether code is a success code of the packet type.
func IsGranted(packet, code byte) bool { return slices.Contains(granted[packet], code) }
