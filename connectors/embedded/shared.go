package embedded

import (
	"strconv"
	"strings"
	"sync/atomic"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/exgate/exgate/internal/topic"
)

// Shared subscriptions of devices are stored in mochi's index, so that devices and network clients can be in the same
// group. A device has a share id there, which begins with NUL, as no MQTT client id does.

var lastShareID atomic.Uint64

// joinGroup requires the session's mu.
func (s *Session) joinGroup(sub subscription) {
	if s.shareID == "" {
		s.shareID = "\x00" + strconv.FormatUint(lastShareID.Add(1), 36)
		s.broker.shared.Store(s.shareID, s)
	}
	s.broker.server.Topics.Subscribe(s.shareID, packets.Subscription{Filter: sub.filter, Qos: sub.qos})
}

// leaveGroups requires the session's mu.
func (s *Session) leaveGroups() {
	if s.shareID != "" {
		s.broker.shared.Delete(s.shareID)
	}
}

// share delivers a message to one member of each group: to a device directly, to a network client by leaving it
// selected.
func (b *Broker) share(subs *mochi.Subscribers, pk packets.Packet) *mochi.Subscribers {
	for filter, members := range subs.Shared {
		inner, _ := topic.Unshare(filter)
		if strings.HasPrefix(pk.TopicName, "$") && (strings.HasPrefix(inner, "+") || strings.HasPrefix(inner, "#")) {
			continue
		}
		b.shareOne(subs, members, pk)
	}
	subs.Shared = nil // otherwise mochi selects again if no network client was selected
	return subs
}

// shareOne tries the members in the random order of a map until one accepts the message.
func (b *Broker) shareOne(subs *mochi.Subscribers, members map[string]packets.Subscription, pk packets.Packet) {
	for id, sub := range members {
		if s, ok := b.shared.Load(id); ok {
			if b.deliver(subscriber{s.(*Session), sub.Qos}, pk) {
				return
			}
			continue
		}
		if client, ok := b.server.Clients.Get(id); ok && !client.Closed() {
			if chosen, ok := subs.SharedSelected[id]; ok {
				sub = chosen.Merge(sub)
			}
			subs.SharedSelected[id] = sub
			return
		}
	}
}
