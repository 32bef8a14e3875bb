package mqtt

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/mqtt/wire"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// memoryBroker is an in-memory broker that keeps its clients' subscriptions and records their requests.
type memoryBroker struct {
	*scripted
	merges   bool // send one copy of a message, with several Subscription Identifiers
	noSubIDs bool

	mu       sync.Mutex
	down     bool                      // end every connection; guarded by mu, like all fields below
	mute     bool                      // do not answer SUBSCRIBE
	refused  map[string]byte           // reason codes by filter
	sessions map[string]*memorySession // by client id
	retained map[string]string         // payloads by topic
	asked    []string                  // SUBSCRIBE FILTER and UNSUBSCRIBE FILTER, in order
	taken    []*packets.Publish        // publishes from clients
}

// memorySession is the broker's state of a client.
type memorySession struct {
	peer    *peer // nil while disconnected
	filters map[string]memoryFilter
	unacked []wire.Publication // QoS 1, to be sent again
	lastID  uint16
	asked   uint16 // packet id of the last SUBSCRIBE
}

type memoryFilter struct {
	qos byte
	id  int
}

func newMemoryBroker(t *testing.T) *memoryBroker {
	t.Helper()
	b := &memoryBroker{refused: map[string]byte{}, sessions: map[string]*memorySession{}, retained: map[string]string{}}
	b.scripted = newScripted(t, b.serve)
	return b
}

func (b *memoryBroker) serve(p *peer) {
	cp := p.next()
	if cp == nil {
		return
	}
	s := b.begin(p, cp.Content.(*packets.Connect))
	if s == nil {
		return
	}
	for cp = p.next(); cp != nil; cp = p.next() {
		b.handle(s, p, cp)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.peer == p {
		s.peer = nil
	}
}

func (b *memoryBroker) begin(p *peer, c *packets.Connect) *memorySession {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return nil
	}
	s := b.sessions[c.ClientID]
	present := s != nil && !c.CleanStart
	if !present {
		s = &memorySession{filters: map[string]memoryFilter{}}
		b.sessions[c.ClientID] = s
	}
	s.peer = p
	ack := &packets.Connack{Properties: &packets.Properties{}, SessionPresent: present}
	if b.noSubIDs {
		ack.Properties.SubIDAvailable = new(byte)
	}
	p.send(ack)
	for _, m := range s.unacked {
		m.Dup = true
		_, _ = p.Write(m.Append(nil))
	}
	return s
}

func (b *memoryBroker) handle(s *memorySession, p *peer, cp *packets.ControlPacket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch c := cp.Content.(type) {
	case *packets.Publish:
		b.taken = append(b.taken, c)
		b.spread(c.Topic, string(c.Payload), c.QoS)
		if c.QoS == 1 {
			p.puback(c.PacketID, 0)
		}
	case *packets.Puback:
		s.unacked = slices.DeleteFunc(s.unacked, func(m wire.Publication) bool { return m.ID == c.PacketID })
	case *packets.Subscribe:
		b.subscribe(s, p, c)
	case *packets.Unsubscribe:
		for _, filter := range c.Topics {
			b.asked = append(b.asked, "UNSUBSCRIBE "+filter)
			delete(s.filters, filter)
		}
		p.send(&packets.Unsuback{
			Properties: &packets.Properties{}, PacketID: c.PacketID,
			Reasons: make([]byte, len(c.Topics)),
		})
	}
}

func (b *memoryBroker) subscribe(s *memorySession, p *peer, c *packets.Subscribe) {
	var id int
	if c.Properties.SubscriptionIdentifier != nil {
		id = *c.Properties.SubscriptionIdentifier
	}
	s.asked = c.PacketID
	var reasons []byte
	for _, o := range c.Subscriptions {
		b.asked = append(b.asked, "SUBSCRIBE "+o.Topic)
		if reason := b.refused[o.Topic]; reason > 0 {
			reasons = append(reasons, reason)
			continue
		}
		_, known := s.filters[o.Topic]
		s.filters[o.Topic] = memoryFilter{o.QoS, id}
		reasons = append(reasons, o.QoS)
		for name, payload := range b.retained {
			if topicMatches(o.Topic, name) && (o.RetainHandling == packets.RetainSendOnSubscribe || !known) {
				s.send(wire.Publication{Topic: name, Payload: []byte(payload), QoS: o.QoS, Retain: true}, id)
			}
		}
	}
	if !b.mute {
		p.suback(c.PacketID, reasons...)
	}
}

// spread sends a message to all matching sessions.
func (b *memoryBroker) spread(name, payload string, qos byte) {
	for _, s := range b.sessions {
		var granted byte
		var ids []int
		for filter, f := range s.filters {
			if !topicMatches(filter, name) {
				continue
			}
			granted, ids = max(granted, f.qos), append(ids, f.id)
			if !b.merges {
				s.send(wire.Publication{Topic: name, Payload: []byte(payload), QoS: min(qos, f.qos)}, f.id)
			}
		}
		if b.merges && len(ids) > 0 {
			s.send(wire.Publication{Topic: name, Payload: []byte(payload), QoS: min(qos, granted)}, ids...)
		}
	}
}

// send sends a message with its identifiers. A QoS 0 message is lost while the client is disconnected.
func (s *memorySession) send(m wire.Publication, ids ...int) {
	for _, id := range ids {
		if id > 0 {
			m.Props = binary.AppendUvarint(append(m.Props, packets.PropSubscriptionIdentifier), uint64(id))
		}
	}
	if m.QoS > 0 {
		s.lastID++
		m.ID = s.lastID
		s.unacked = append(s.unacked, m)
	}
	if s.peer != nil {
		_, _ = s.peer.Write(m.Append(nil))
	}
}

// topicMatches does not use the index that is under test. No topic in these tests begins with $.
func topicMatches(filter, name string) bool {
	f, n := strings.Split(filter, "/"), strings.Split(name, "/")
	for i, level := range f {
		switch {
		case level == "#":
			return true
		case i == len(n) || (level != "+" && level != n[i]):
			return false
		}
	}
	return len(f) == len(n)
}

// set runs change with the lock held.
func (b *memoryBroker) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// publish publishes a message as another client would.
func (b *memoryBroker) publish(name, payload string, qos byte) {
	b.set(func() { b.spread(name, payload, qos) })
}

// cut ends all connections.
func (b *memoryBroker) cut() {
	b.set(func() {
		for _, s := range b.sessions {
			s.peer = nil
		}
	})
	b.scripted.mu.Lock()
	defer b.scripted.mu.Unlock()
	for _, p := range b.peers {
		_ = p.Close()
	}
}

// stop ends all connections, and new ones until start is called.
func (b *memoryBroker) stop() {
	b.set(func() { b.down = true })
	b.cut()
}

// start accepts connections again. With forget, the broker has lost its sessions.
func (b *memoryBroker) start(forget bool) {
	b.set(func() {
		if forget && b.down {
			clear(b.sessions)
		}
		b.down = false
	})
}

// asks returns the SUBSCRIBEs and UNSUBSCRIBEs of the shared connections so far.
func (b *memoryBroker) asks() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.asked), func(a string) bool {
		return strings.Contains(a,
			" exgate/control")
	})
}

// filters returns the subscriptions of the shared connections, sorted.
func (b *memoryBroker) filters() (all []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, s := range b.sessions {
		if strings.Contains(id, "-shared-") {
			all = slices.AppendSeq(all, maps.Keys(s.filters))
		}
	}
	slices.Sort(all)
	return all
}

// awaitClients waits until n clients besides the prober are connected and have acknowledged everything.
func (b *memoryBroker) awaitClients(t testing.TB, n int) {
	t.Helper()
	gatewaytest.Eventually(t, fmt.Sprintf("%d clients without anything under way", n), func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		connected := 0
		for id, s := range b.sessions {
			if s.peer != nil && !strings.HasSuffix(id, "-suspects") && len(s.unacked) == 0 {
				connected++
			}
		}
		return connected == n
	})
}

// flush waits until the connectors have delivered everything that was sent to them.
func (b *memoryBroker) flush(t testing.TB, clients int) {
	t.Helper()
	b.set(func() {
		for _, s := range b.sessions {
			s.send(wire.Publication{Topic: "$nobody", QoS: 1}, 268435455)
		}
	})
	b.awaitClients(t, clients)
}

// said returns the payloads published to a topic.
func (b *memoryBroker) said(topic string) (payloads []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.taken {
		if p.Topic == topic {
			payloads = append(payloads, string(p.Payload))
		}
	}
	return payloads
}
