package client

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
)

// quotaBroker accepts publishes from many queues, and checks that the client respects its Receive Maximum.
type quotaBroker struct {
	t      *testing.T
	maxima []uint16 // Receive Maximum of each connection; all but the last are closed when it is reached
	keeps  bool     // keep the session across connections

	mu    sync.Mutex
	lanes map[string]int // next number of each queue; guarded by mu
	left  int            // messages still to arrive; guarded by mu
}

func (b *quotaBroker) serve(p *brokertest.Peer) {
	at := min(p.Number, len(b.maxima)-1)
	most := b.maxima[at]
	if p.Next() == nil {
		return
	}
	p.Send(&packets.Connack{
		Properties:     &packets.Properties{ReceiveMaximum: &most},
		SessionPresent: b.keeps && p.Number > 0,
	})
	var outstanding []uint16
	for cp := p.Next(); cp != nil; cp = p.Next() {
		c, ok := cp.Content.(*packets.Publish)
		if !ok {
			continue
		}
		outstanding = append(outstanding, c.PacketID)
		left := b.arrived(string(c.Payload))
		if len(outstanding) < int(most) && left > 0 {
			continue
		}
		if at < len(b.maxima)-1 {
			return
		}
		if left > 0 && !b.quiet(p) {
			return
		}
		for _, id := range outstanding {
			p.Puback(id, 0)
		}
		outstanding = nil
	}
}

// quiet expects no packet while the Receive Maximum is reached.
func (b *quotaBroker) quiet(p *brokertest.Peer) bool {
	_ = p.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	defer func() { _ = p.SetReadDeadline(time.Time{}) }()
	if early := p.Next(); early != nil {
		b.t.Errorf("more than the Receive Maximum is outstanding: %v", early)
		return false
	}
	return true
}

// arrived records a payload QUEUE/NUMBER and returns how many messages are still to arrive.
func (b *quotaBroker) arrived(payload string) (left int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	queue, text, _ := strings.Cut(payload, "/")
	switch n, err := strconv.Atoi(text); {
	case err != nil || n > b.lanes[queue]:
		b.t.Errorf("got %s, want number %d of the queue", payload, b.lanes[queue])
	case n == b.lanes[queue]:
		b.lanes[queue]++
		b.left--
	}
	return b.left
}

// TestReceiveMaximumLowered restarts the broker with a Receive Maximum below the number of publishes in flight.
func TestReceiveMaximumLowered(t *testing.T) {
	for _, maxima := range [][]uint16{{10, 2}, {10, 1}, {10, 6}} {
		for _, keeps := range []bool{true, false} {
			t.Run(fmt.Sprintf("%v kept %v", maxima, keeps), func(t *testing.T) {
				const lanes, each = 12, 5
				q := &quotaBroker{t: t, maxima: maxima, keeps: keeps, lanes: map[string]int{}, left: lanes * each}
				b := brokertest.NewScripted(t, q.serve)
				s, d := brokertest.Connect(t, newDevices(t, Quick(b.URL())), "c")
				calls := publishOnLanes(s.(*deviceSession).client, lanes, each)
				for _, call := range calls {
					if r := call.Result(t); !r.Ok() || call.Times() != 1 {
						t.Fatal(r, call.Times())
					}
				}
				c := s.(*deviceSession).client
				c.mu.Lock()
				defer c.mu.Unlock()
				if last := int(maxima[len(maxima)-1]); c.quota != last ||
					len(c.inflight)+len(c.resends)+len(c.blocked) != 0 || d.Losses() != 0 {
					t.Errorf("the quota is %d and not %d, %d are under way, %d to be sent again, %d queues wait",
						c.quota, last, len(c.inflight), len(c.resends), len(c.blocked))
				}
			})
		}
	}
}

// publishOnLanes publishes from several additional queues of a client.
func publishOnLanes(c *Client, lanes, each int) (calls []*connectortest.Call) {
	for range lanes {
		l := &PublishQueue{client: c}
		for n := range each {
			one := connectortest.NewCall()
			c.submit(call{
				kind: publishing, topic: "t", qos: 1, payload: fmt.Appendf(nil, "%p/%d", l, n),
				done: one.Done, queue: l,
			})
			calls = append(calls, one)
		}
	}
	return calls
}
