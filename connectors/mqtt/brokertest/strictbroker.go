package brokertest

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

// StrictBroker accepts everything except topics that begin with "bad": for those, it ends the connection.
type StrictBroker struct {
	*Scripted
	reason byte // of DISCONNECT; 0: none, the connection just ends

	Mu    sync.Mutex
	lax   bool           // it takes bad topics too; guarded by mu, as all below
	ended []time.Time    // connections that it ended
	taken map[string]int // publishes by topic
	From  map[string]int // the same by client id and topic, with a space between
	asked map[string]int // SUBSCRIBEs of filters that it took
}

// NewStrictBroker starts a broker that ends with the test.
func NewStrictBroker(t *testing.T, reason byte) *StrictBroker {
	t.Helper()
	b := &StrictBroker{reason: reason, taken: map[string]int{}, From: map[string]int{}, asked: map[string]int{}}
	b.Scripted = NewScripted(t, b.serve)
	return b
}

func (b *StrictBroker) serve(p *Peer) {
	connect := p.Accept(false)
	if connect == nil {
		return
	}
	for cp := p.Next(); cp != nil; cp = p.Next() {
		if !b.take(p, connect.ClientID, cp) {
			return
		}
	}
}

// take returns false if the broker ends the connection for the packet.
func (b *StrictBroker) take(p *Peer, id string, cp *packets.ControlPacket) bool {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	var topics []string
	switch c := cp.Content.(type) {
	case *packets.Publish:
		topics = []string{c.Topic}
	case *packets.Subscribe:
		for _, o := range c.Subscriptions {
			topics = append(topics, o.Topic)
		}
	case *packets.Unsubscribe:
		topics = c.Topics
	}
	for _, topic := range topics {
		if strings.HasPrefix(topic, "bad") && !b.lax {
			b.ended = append(b.ended, time.Now())
			if b.reason != 0 {
				p.Disconnect(b.reason)
			}
			return false
		}
	}
	switch c := cp.Content.(type) {
	case *packets.Publish:
		b.taken[c.Topic]++
		b.From[id+" "+c.Topic]++
		switch c.QoS {
		case 1:
			p.Puback(c.PacketID, 0)
		case 2:
			p.Send(&packets.Pubrec{Properties: &packets.Properties{}, PacketID: c.PacketID})
		}
	case *packets.Pubrel:
		p.Send(&packets.Pubcomp{Properties: &packets.Properties{}, PacketID: c.PacketID})
	case *packets.Subscribe:
		for _, topic := range topics {
			b.asked[topic]++
		}
		p.Suback(c.PacketID, make([]byte, len(topics))...)
	case *packets.Unsubscribe:
		p.Send(&packets.Unsuback{
			Properties: &packets.Properties{}, PacketID: c.PacketID,
			Reasons: make([]byte, len(topics)),
		})
	}
	return true
}

func (b *StrictBroker) Set(lax bool) {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	b.lax = lax
}

// Endings returns the number of connections that the broker ended: at most within any 30 units, and in total.
func (b *StrictBroker) Endings() (most, all int) {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	for from, at := range b.ended {
		for to := from; to < len(b.ended) && b.ended[to].Sub(at) < 30*Unit; to++ {
			most = max(most, to-from+1)
		}
	}
	return most, len(b.ended)
}

func (b *StrictBroker) Took(topic string) int {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	return b.taken[topic]
}
