package brokertest

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

// MemoryBroker is an in-memory broker that keeps its clients' subscriptions and records their requests.
type MemoryBroker struct {
	*Scripted
	Merges   bool // send one copy of a message, with several Subscription Identifiers
	NoSubIDs bool

	mu       sync.Mutex
	down     bool                      // end every connection; guarded by mu, like all fields below
	Mute     bool                      // do not answer SUBSCRIBE
	Refused  map[string]byte           // reason codes by filter
	Sessions map[string]*memorySession // by client id
	Retained map[string]string         // payloads by topic
	asked    []string                  // SUBSCRIBE FILTER and UNSUBSCRIBE FILTER, in order
	Taken    []*packets.Publish        // publishes from clients
}

// memorySession is the broker's state of a client.
type memorySession struct {
	Peer    *Peer // nil while disconnected
	Filters map[string]MemoryFilter
	unacked []wire.Publication // QoS 1, to be sent again
	lastID  uint16
	Asked   uint16 // packet id of the last SUBSCRIBE
}

// MemoryFilter is a subscription of a client.
type MemoryFilter struct {
	qos byte
	ID  int
}

// NewMemoryBroker starts a broker that ends with the test.
func NewMemoryBroker(t *testing.T) *MemoryBroker {
	t.Helper()
	b := &MemoryBroker{Refused: map[string]byte{}, Sessions: map[string]*memorySession{}, Retained: map[string]string{}}
	b.Scripted = NewScripted(t, b.serve)
	return b
}

func (b *MemoryBroker) serve(p *Peer) {
	cp := p.Next()
	if cp == nil {
		return
	}
	s := b.begin(p, cp.Content.(*packets.Connect))
	if s == nil {
		return
	}
	for cp = p.Next(); cp != nil; cp = p.Next() {
		b.handle(s, p, cp)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.Peer == p {
		s.Peer = nil
	}
}

func (b *MemoryBroker) begin(p *Peer, c *packets.Connect) *memorySession {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return nil
	}
	s := b.Sessions[c.ClientID]
	present := s != nil && !c.CleanStart
	if !present {
		s = &memorySession{Filters: map[string]MemoryFilter{}}
		b.Sessions[c.ClientID] = s
	}
	s.Peer = p
	ack := &packets.Connack{Properties: &packets.Properties{}, SessionPresent: present}
	if b.NoSubIDs {
		ack.Properties.SubIDAvailable = new(byte)
	}
	p.Send(ack)
	for _, m := range s.unacked {
		m.Dup = true
		_, _ = p.Write(m.Append(nil))
	}
	return s
}

func (b *MemoryBroker) handle(s *memorySession, p *Peer, cp *packets.ControlPacket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch c := cp.Content.(type) {
	case *packets.Publish:
		b.Taken = append(b.Taken, c)
		b.spread(c.Topic, string(c.Payload), c.QoS)
		if c.QoS == 1 {
			p.Puback(c.PacketID, 0)
		}
	case *packets.Puback:
		s.unacked = slices.DeleteFunc(s.unacked, func(m wire.Publication) bool { return m.ID == c.PacketID })
	case *packets.Subscribe:
		b.subscribe(s, p, c)
	case *packets.Unsubscribe:
		for _, filter := range c.Topics {
			b.asked = append(b.asked, "UNSUBSCRIBE "+filter)
			delete(s.Filters, filter)
		}
		p.Send(&packets.Unsuback{
			Properties: &packets.Properties{}, PacketID: c.PacketID,
			Reasons: make([]byte, len(c.Topics)),
		})
	}
}

func (b *MemoryBroker) subscribe(s *memorySession, p *Peer, c *packets.Subscribe) {
	var id int
	if c.Properties.SubscriptionIdentifier != nil {
		id = *c.Properties.SubscriptionIdentifier
	}
	s.Asked = c.PacketID
	var reasons []byte
	for _, o := range c.Subscriptions {
		b.asked = append(b.asked, "SUBSCRIBE "+o.Topic)
		if reason := b.Refused[o.Topic]; reason > 0 {
			reasons = append(reasons, reason)
			continue
		}
		_, known := s.Filters[o.Topic]
		s.Filters[o.Topic] = MemoryFilter{o.QoS, id}
		reasons = append(reasons, o.QoS)
		for name, payload := range b.Retained {
			if TopicMatches(o.Topic, name) && (o.RetainHandling == packets.RetainSendOnSubscribe || !known) {
				s.Send(wire.Publication{Topic: name, Payload: []byte(payload), QoS: o.QoS, Retain: true}, id)
			}
		}
	}
	if !b.Mute {
		p.Suback(c.PacketID, reasons...)
	}
}

// spread sends a message to all matching sessions.
func (b *MemoryBroker) spread(name, payload string, qos byte) {
	for _, s := range b.Sessions {
		var granted byte
		var ids []int
		for filter, f := range s.Filters {
			if !TopicMatches(filter, name) {
				continue
			}
			granted, ids = max(granted, f.qos), append(ids, f.ID)
			if !b.Merges {
				s.Send(wire.Publication{Topic: name, Payload: []byte(payload), QoS: min(qos, f.qos)}, f.ID)
			}
		}
		if b.Merges && len(ids) > 0 {
			s.Send(wire.Publication{Topic: name, Payload: []byte(payload), QoS: min(qos, granted)}, ids...)
		}
	}
}

// Send sends a message with its identifiers. A QoS 0 message is lost while the client is disconnected.
func (s *memorySession) Send(m wire.Publication, ids ...int) {
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
	if s.Peer != nil {
		_, _ = s.Peer.Write(m.Append(nil))
	}
}

// TopicMatches does not use the index that is under test. No topic in these tests begins with $.
func TopicMatches(filter, name string) bool {
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

// Set runs change with the lock held.
func (b *MemoryBroker) Set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// Publish publishes a message as another client would.
func (b *MemoryBroker) Publish(name, payload string, qos byte) {
	b.Set(func() { b.spread(name, payload, qos) })
}

// Cut ends all connections.
func (b *MemoryBroker) Cut() {
	b.Set(func() {
		for _, s := range b.Sessions {
			s.Peer = nil
		}
	})
	b.Scripted.Mu.Lock()
	defer b.Scripted.Mu.Unlock()
	for _, p := range b.Peers {
		_ = p.Close()
	}
}

// Stop ends all connections, and new ones until start is called.
func (b *MemoryBroker) Stop() {
	b.Set(func() { b.down = true })
	b.Cut()
}

// Start accepts connections again. With forget, the broker has lost its sessions.
func (b *MemoryBroker) Start(forget bool) {
	b.Set(func() {
		if forget && b.down {
			clear(b.Sessions)
		}
		b.down = false
	})
}

// Asks returns the SUBSCRIBEs and UNSUBSCRIBEs of the shared connections so far.
func (b *MemoryBroker) Asks() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.asked), func(a string) bool {
		return strings.Contains(a,
			" exgate/control")
	})
}

// Filters returns the subscriptions of the shared connections, sorted.
func (b *MemoryBroker) Filters() (all []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, s := range b.Sessions {
		if strings.Contains(id, "-shared-") {
			all = slices.AppendSeq(all, maps.Keys(s.Filters))
		}
	}
	slices.Sort(all)
	return all
}

// AwaitClients waits until n clients besides the prober are connected and have acknowledged everything.
func (b *MemoryBroker) AwaitClients(t testing.TB, n int) {
	t.Helper()
	gatewaytest.Eventually(t, fmt.Sprintf("%d clients without anything under way", n), func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		connected := 0
		for id, s := range b.Sessions {
			if s.Peer != nil && !strings.HasSuffix(id, "-suspects") && len(s.unacked) == 0 {
				connected++
			}
		}
		return connected == n
	})
}

// Flush waits until the connectors have delivered everything that was sent to them.
func (b *MemoryBroker) Flush(t testing.TB, clients int) {
	t.Helper()
	b.Set(func() {
		for _, s := range b.Sessions {
			s.Send(wire.Publication{Topic: "$nobody", QoS: 1}, 268435455)
		}
	})
	b.AwaitClients(t, clients)
}

// Said returns the payloads published to a topic.
func (b *MemoryBroker) Said(topic string) (payloads []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.Taken {
		if p.Topic == topic {
			payloads = append(payloads, string(p.Payload))
		}
	}
	return payloads
}
