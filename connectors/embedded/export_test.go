package embedded

import (
	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Retain stores a retained message.
func (b *Broker) Retain(topic, payload string) error {
	return b.server.InjectPacket(b.inline, packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: true}, TopicName: topic,
		Payload: []byte(payload),
	})
}

// Filters counts the filters in the index.
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

// More metric names for tests.
var (
	DropClientFull      = dropClientFull
	DropRetained        = dropRetained
	ClosedStalled       = closedStalled
	ClosedBadPacket     = closedBadPacket
	ClosedEvicted       = closedEvicted
	ClosedSubscriptions = closedSubscriptions
)

// Closed reads a counter.
func (m *Metrics) Closed(reason string) float64 {
	return testutil.ToFloat64(m.closed.WithLabelValues(reason))
}

// Queued is how much waits for network clients, in bytes.
func (b *Broker) Queued() int64 { return b.network.queued.Load() }

// Retained is what the retained messages take, and how many there are.
func (b *Broker) Retained() (bytes, count int) {
	return b.retain.bytes(), b.server.Topics.Retained.Len()
}
