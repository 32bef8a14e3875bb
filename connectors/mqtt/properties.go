package mqtt

import (
	"encoding/binary"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// userProperties say of a device what MQTT does not: its protocol and where it is.
func userProperties(device gateway.Device) (list paho.UserProperties) {
	add := func(key, value string) {
		if value != "" {
			list = append(list, paho.UserProperty{Key: key, Value: value})
		}
	}
	add("protocol", device.ProtoName)
	add("protocol_version", device.ProtoVersion)
	if device.Peer.IsValid() {
		add("peer", device.Peer.String())
	}
	add("listener", device.Listener)
	return list
}

// checkUserProperties refuses a device whose user properties cannot be sent: a broker would end the connection for each of its messages.
func (b *broker) checkUserProperties(device gateway.Device) error {
	if !b.cfg.UserProperties {
		return nil
	}
	for _, p := range userProperties(device) {
		if err := topic.CheckString("the user property "+p.Key+" (upstream.user_properties)", p.Value); err != nil {
			return &gateway.ResultError{Result: gateway.Refuse(gateway.CodeParamsTypeError, "%v", err)}
		}
	}
	return nil
}

// encodeUser is a list as it stands among the properties of a PUBLISH, MQTT 5, section 3.3.2.3.7.
func encodeUser(list paho.UserProperties) (b []byte) {
	for _, p := range list {
		b = append(b, packets.PropUser)
		for _, s := range [...]string{p.Key, p.Value} {
			b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
			b = append(b, s...)
		}
	}
	return b
}

// withExpiry puts the Message Expiry Interval before other properties. What is left of it is rounded up to a second.
func withExpiry(left time.Duration, others []byte) []byte {
	b := make([]byte, 0, 5+len(others))
	b = append(b, packets.PropMessageExpiry)
	b = binary.BigEndian.AppendUint32(b, seconds(left))
	return append(b, others...)
}

// withoutExpiry takes off what withExpiry put there.
func withoutExpiry(props []byte) []byte {
	if len(props) >= 5 && props[0] == packets.PropMessageExpiry {
		return props[5:]
	}
	return props
}

// seconds rounds up.
func seconds(d time.Duration) uint32 {
	return uint32(min((d+time.Second-1)/time.Second, 1<<32-1))
}
