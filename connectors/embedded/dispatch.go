package embedded

import (
	"bytes"
	"strings"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// isReserved reports whether only the broker may publish to name.
func isReserved(name string) bool {
	return len(name) >= len(mochi.SysPrefix) && strings.EqualFold(name[:len(mochi.SysPrefix)], mochi.SysPrefix)
}

// publish passes a device's message to mochi, which copies payload for each network client and calls dispatch for
// devices.
func (b *Broker) publish(clientID, name string, qos byte, payload []byte, props *gateway.Properties) gateway.Result {
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos},
		TopicName:   name,
		Payload:     payload,
		Connect:     packets.ConnectParams{ClientIdentifier: clientID}, // the hook replaces the message's origin by it
	}
	setProperties(&pk, props)
	if pk.FixedHeader.Retain && !b.retain.admit(name, pk) {
		b.metrics.dropped.WithLabelValues(dropRetained).Inc()
		return gateway.Refuse(gateway.CodeLimit,
			"publishing to %q: the embedded broker's retained messages have reached their limit of %d bytes", name,
			maxRetained)
	}
	if qos > 0 {
		pk.PacketID = 1 // mochi requires one and does not use it
	}
	if err := b.server.InjectPacket(b.inline, pk); err != nil {
		return gateway.Refuse(gateway.CodeUnknown, "publishing to %q: %v", name, err)
	}
	b.metrics.published.Inc()
	return gateway.OK
}

var scratch = sync.Pool{New: func() any { return new([]subscriber) }}

// dispatch delivers a message once to each subscribed device. It holds no lock meanwhile: a device with a full queue
// may close its session inside Deliver.
func (b *Broker) dispatch(pk packets.Packet) {
	buf := scratch.Get().(*[]subscriber)
	matched := b.index.Match(pk.TopicName, (*buf)[:0])
	pk.FixedHeader.Retain = false // it is not from the store
	var several map[*Session]byte // for sessions with several filters: the highest QoS of the matching ones
	for _, to := range matched {
		if len(matched) == 1 || !to.session.many.Load() {
			b.deliver(to, pk)
			continue
		}
		if several == nil {
			several = map[*Session]byte{}
		}
		several[to.session] = max(several[to.session], to.qos)
	}
	for session, qos := range several {
		b.deliver(subscriber{session, qos}, pk)
	}
	clear(matched)
	*buf = matched[:0]
	scratch.Put(buf)
}

// deliver delivers a message with the lower QoS of publish and subscription (MQTT 5, section 3.8.4). It reports whether
// the device accepted it.
func (b *Broker) deliver(to subscriber, pk packets.Packet) bool {
	s := to.session
	if s.closed.Load() {
		return false
	}
	if !s.allows(access.Subscribe, pk.TopicName) {
		b.metrics.dropped.WithLabelValues(dropDenied).Inc()
		return false
	}
	ok := s.down.Deliver(gateway.Message{
		ID:        b.ids.Next(),
		QoS:       min(pk.FixedHeader.Qos, to.qos),
		From:      pk.Origin,
		Topic:     pk.TopicName,
		Payload:   bytes.Clone(pk.Payload),
		Timestamp: time.Now(),

		Properties: propertiesOf(&pk),
	})
	if ok {
		b.metrics.delivered.Inc()
	} else {
		b.metrics.dropped.WithLabelValues(dropDeviceFull).Inc()
	}
	return ok
}

// replay delivers the retained messages that match filter. mochi's own search reads its tree without the lock that
// writers take, so the messages are matched here.
func (b *Broker) replay(s *Session, filter string, qos byte) {
	if !strings.ContainsAny(filter, "+#") {
		if pk, ok := b.server.Topics.Retained.Get(filter); ok && !hasExpired(&pk) {
			b.deliver(subscriber{s, qos}, pk)
		}
		return
	}
	if b.server.Topics.Retained.Len() == 0 {
		return
	}
	for name, pk := range b.server.Topics.Retained.GetAll() {
		if topic.Matches(filter, name) && !hasExpired(&pk) {
			b.deliver(subscriber{s, qos}, pk)
		}
	}
}
