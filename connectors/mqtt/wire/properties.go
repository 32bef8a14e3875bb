package wire

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/runtime/gateway"
)

// EncodeUser encodes user properties of a PUBLISH, MQTT 5, section 3.3.2.3.7.
func EncodeUser(list paho.UserProperties) (b []byte) {
	for _, p := range list {
		b = appendUser(b, p.Key, p.Value)
	}
	return b
}

func appendUser(b []byte, name, value string) []byte {
	return appendString(appendString(append(b, packets.PropUser), name), value)
}

func appendString[T string | []byte](b []byte, s T) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// AppendMessage appends the properties of a message, except its expiry, MQTT 5, sections 3.3.2.3.5 to 3.3.2.3.9. They
// must be valid.
func AppendMessage(b []byte, p *gateway.Properties) []byte {
	if p.ContentType != "" {
		b = appendString(append(b, packets.PropContentType), p.ContentType)
	}
	if p.ResponseTopic != "" {
		b = appendString(append(b, packets.PropResponseTopic), p.ResponseTopic)
	}
	if len(p.Correlation) > 0 {
		b = appendString(append(b, packets.PropCorrelationData), p.Correlation)
	}
	for _, u := range p.User {
		b = appendUser(b, u.Name, u.Value)
	}
	return b
}

// MessageOf returns the properties of a received message, or nil if it has none. They share nothing with it.
func MessageOf(m *paho.Publish) *gateway.Properties {
	p := gateway.Properties{Retain: m.Retain}
	if r := m.Properties; r != nil {
		p.ContentType, p.ResponseTopic, p.Correlation = r.ContentType, r.ResponseTopic, bytes.Clone(r.CorrelationData)
		if r.MessageExpiry != nil {
			p.Expiry = *r.MessageExpiry
		}
		for _, u := range r.User {
			p.User = append(p.User, gateway.Property{Name: u.Key, Value: u.Value})
		}
	}
	if p.Empty() {
		return nil
	}
	return &p
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
