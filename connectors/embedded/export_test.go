package embedded

import (
	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Retain stores a retained message.
func (b *Broker) Retain(topic, payload string) error {
	return b.server.InjectPacket(b.inline, packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: true}, TopicName: topic, Payload: []byte(payload),
	})
}

// Filters counts what the index holds.
func (b *Broker) Filters() int {
	return b.index.Len()
}

// Metric names for tests.
var (
	DropDeviceFull = dropDeviceFull
	DropDenied     = dropDenied
)

// Dropped reads a counter.
func (m *Metrics) Dropped(reason string) float64 {
	return testutil.ToFloat64(m.dropped.WithLabelValues(reason))
}
