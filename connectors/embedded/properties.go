package embedded

import (
	"bytes"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/exgate/exgate/runtime/gateway"
)

// setProperties copies the properties of a device's message, which may be nil, to its packet.
func setProperties(pk *packets.Packet, p *gateway.Properties) {
	if p == nil {
		return
	}
	pk.FixedHeader.Retain = p.Retain
	to := &pk.Properties
	to.MessageExpiryInterval = p.Expiry
	to.ContentType, to.ResponseTopic, to.CorrelationData = p.ContentType, p.ResponseTopic, bytes.Clone(p.Correlation)
	for _, u := range p.User {
		to.User = append(to.User, packets.UserProperty{Key: u.Name, Val: u.Value})
	}
}

// propertiesOf returns the properties of a packet for a device, or nil if it has none.
func propertiesOf(pk *packets.Packet) *gateway.Properties {
	from := &pk.Properties
	if !pk.FixedHeader.Retain && from.MessageExpiryInterval == 0 && from.ContentType == "" &&
		from.ResponseTopic == "" && len(from.CorrelationData) == 0 && len(from.User) == 0 {
		return nil
	}
	p := &gateway.Properties{
		Retain: pk.FixedHeader.Retain, Expiry: secondsLeft(pk), ContentType: from.ContentType,
		ResponseTopic: from.ResponseTopic, Correlation: bytes.Clone(from.CorrelationData),
	}
	for _, u := range from.User {
		p.User = append(p.User, gateway.Property{Name: u.Key, Value: u.Val})
	}
	return p
}

// secondsLeft returns the rest of the expiry that the publisher has set, or 0 without one. mochi also gives messages
// without one a time, which devices do not see.
func secondsLeft(pk *packets.Packet) uint32 {
	if pk.Properties.MessageExpiryInterval == 0 {
		return 0
	}
	left := pk.Created + int64(pk.Properties.MessageExpiryInterval) - time.Now().Unix()
	return uint32(max(left, 1))
}

// hasExpired reports whether a retained message has expired: mochi removes those only from time to time.
func hasExpired(pk *packets.Packet) bool { return pk.Expiry > 0 && pk.Expiry < time.Now().Unix() }
