package mqtt

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

// strictBroker accepts everything except topics that begin with "bad": for those, it ends the connection.
type strictBroker struct {
	*scripted
	reason byte // of DISCONNECT; 0: none, the connection just ends

	mu    sync.Mutex
	lax   bool           // it takes bad topics too; guarded by mu, as all below
	ended []time.Time    // connections that it ended
	taken map[string]int // publishes by topic
	from  map[string]int // the same by client id and topic, with a space between
	asked map[string]int // SUBSCRIBEs of filters that it took
}

func newStrictBroker(t *testing.T, reason byte) *strictBroker {
	t.Helper()
	b := &strictBroker{reason: reason, taken: map[string]int{}, from: map[string]int{}, asked: map[string]int{}}
	b.scripted = newScripted(t, b.serve)
	return b
}

func (b *strictBroker) serve(p *peer) {
	connect := p.accept(false)
	if connect == nil {
		return
	}
	for cp := p.next(); cp != nil; cp = p.next() {
		if !b.take(p, connect.ClientID, cp) {
			return
		}
	}
}

// take returns false if the broker ends the connection for the packet.
func (b *strictBroker) take(p *peer, id string, cp *packets.ControlPacket) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
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
				p.disconnect(b.reason)
			}
			return false
		}
	}
	switch c := cp.Content.(type) {
	case *packets.Publish:
		b.taken[c.Topic]++
		b.from[id+" "+c.Topic]++
		switch c.QoS {
		case 1:
			p.puback(c.PacketID, 0)
		case 2:
			p.send(&packets.Pubrec{Properties: &packets.Properties{}, PacketID: c.PacketID})
		}
	case *packets.Pubrel:
		p.send(&packets.Pubcomp{Properties: &packets.Properties{}, PacketID: c.PacketID})
	case *packets.Subscribe:
		for _, topic := range topics {
			b.asked[topic]++
		}
		p.suback(c.PacketID, make([]byte, len(topics))...)
	case *packets.Unsubscribe:
		p.send(&packets.Unsuback{
			Properties: &packets.Properties{}, PacketID: c.PacketID,
			Reasons: make([]byte, len(topics)),
		})
	}
	return true
}

func (b *strictBroker) set(lax bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lax = lax
}

// endings returns the number of connections that the broker ended: at most within any 30 units, and in total.
func (b *strictBroker) endings() (most, all int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for from, at := range b.ended {
		for to := from; to < len(b.ended) && b.ended[to].Sub(at) < 30*unit; to++ {
			most = max(most, to-from+1)
		}
	}
	return most, len(b.ended)
}

func (b *strictBroker) took(topic string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.taken[topic]
}
