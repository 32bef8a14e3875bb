package wire

import (
	"encoding/binary"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
)

// EncodeUser encodes user properties of a PUBLISH, MQTT 5, section 3.3.2.3.7.
func EncodeUser(list paho.UserProperties) (b []byte) {
	for _, p := range list {
		b = append(b, packets.PropUser)
		for _, s := range [...]string{p.Key, p.Value} {
			b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
			b = append(b, s...)
		}
	}
	return b
}

// WithExpiry prepends a Message Expiry Interval, rounded up to a second, to other properties.
func WithExpiry(left time.Duration, others []byte) []byte {
	b := make([]byte, 0, 5+len(others))
	b = append(b, packets.PropMessageExpiry)
	b = binary.BigEndian.AppendUint32(b, Seconds(left))
	return append(b, others...)
}

// WithoutExpiry removes what WithExpiry prepended.
func WithoutExpiry(props []byte) []byte {
	if len(props) >= 5 && props[0] == packets.PropMessageExpiry {
		return props[5:]
	}
	return props
}

// Seconds returns d in seconds, rounded up.
func Seconds(d time.Duration) uint32 {
	return uint32(min((d+time.Second-1)/time.Second, 1<<32-1))
}
