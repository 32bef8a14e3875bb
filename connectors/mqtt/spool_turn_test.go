package mqtt

import (
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// TestSpoolLeftOnItsWayToTheDisk has a device leave before its messages are on disk.
func TestSpoolLeftOnItsWayToTheDisk(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	d := listen(t, b.URL(), "t")
	c := newConnector(t, spooled(t, b.URL()))
	const each = 5
	for round := range 20 { // from the second on the gateway's own connection is there
		s, _ := connect(t, c, "device")
		calls := make([]*connectortest.Call, each)
		for i := range calls {
			calls[i] = connectortest.NewCall()
			s.Publish("t", 1, []byte(strconv.Itoa(round*each+i)), calls[i].Done)
		}
		s.Close()
		for _, call := range calls {
			if r := call.Result(t); !r.Ok() {
				t.Fatal(r)
			}
		}
		awaitDrained(t, c, 0)
	}
	wantNumbers(t, d, 0, 20*each)
}

// TestSpoolDeviceKeepsItsTurn has the gateway come for what a device left when the device is there again.
func TestSpoolDeviceKeepsItsTurn(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	d := listen(t, b.URL(), "t")
	c := newConnector(t, spooled(t, b.URL()))
	s, _ := connect(t, c, "device")
	c.adopt("device")
	publishNumbers(t, s, 0, 5)
	wantNumbers(t, d, 0, 5)
	awaitDrained(t, c, 1)
}

// TestSpoolTurnGoesToTheLast has two lanes come while a third has the turn. Each of them leaves once.
func TestSpoolTurnGoesToTheLast(t *testing.T) {
	b := newScripted(t, func(p *peer) {
		if p.accept(false) != nil {
			p.serveAll()
		}
	})
	c := newConnector(t, spooled(t, b.url()))
	s, _ := connect(t, c, "device")
	client := &s.(*Session).client
	g := s.(*Session).lane.backlog
	lanes := [2]lane{{client: client, backlog: g}, {client: client, backlog: g}}
	var told outcomes
	client.mu.Lock()
	for i := range lanes {
		g.use()
		told = append(told, g.enter(&lanes[i])...)
	}
	client.mu.Unlock()
	told.tell()
	g.leave(&lanes[0])
	client.mu.Lock()
	first, last := lanes[0].ended, lanes[1].turn && !lanes[1].ended
	client.mu.Unlock()
	if !first || !last || g.users != 1 {
		t.Fatalf("the first has ended: %v, the last has the turn: %v, users: %d", first, last, g.users)
	}
	ended := lanes[1].close()
	ended.tell()
	awaitDrained(t, c, 0)
}

// TestSpoolTurnPassesWhileGatewayIsAway leaves a message under way on a connection of the gateway's own, which does not come back. The device does.
func TestSpoolTurnPassesWhileGatewayIsAway(t *testing.T) {
	var refuse atomic.Bool
	arrived := make(chan string, 100)
	b := newScripted(t, func(p *peer) {
		own := p.acceptUnless(&refuse)
		for cp := p.next(); cp != nil; cp = p.next() {
			c, ok := cp.Content.(*packets.Publish)
			switch {
			case !ok:
			case own: // it never answers
				refuse.Store(true)
				return
			default:
				arrived <- string(c.Payload)
				p.puback(c.PacketID, 0)
			}
		}
	})
	c := newConnector(t, spooled(t, b.url()))
	leaveNumbers(t, c, "device", 3)
	gatewaytest.Eventually(t, "the gateway to lose its connection", refuse.Load)
	connect(t, c, "device")
	for i := range 3 {
		if got := <-arrived; got != strconv.Itoa(i) {
			t.Fatalf("got %s, want %d", got, i)
		}
	}
}

// acceptUnless accepts a device, and the gateway itself unless refuse. It reports whether it is the gateway.
func (p *peer) acceptUnless(refuse *atomic.Bool) (own bool) {
	cp := p.next()
	if cp == nil {
		return false
	}
	own = strings.HasPrefix(cp.Content.(*packets.Connect).ClientID, "exgate-")
	ack := &packets.Connack{Properties: &packets.Properties{}}
	if own && refuse.Load() {
		ack.ReasonCode = packets.ConnackNotAuthorized
	}
	p.send(ack)
	return own
}

// leaveNumbers puts n publishes of QoS 1 into the spool of a device that has no session.
func leaveNumbers(t *testing.T, c *Connector, id string, n int) {
	t.Helper()
	if err := c.spoolOpened(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		done := connectortest.NewCall()
		c.backlogOf(id).append(call{kind: publishing, topic: "t", qos: 1, payload: []byte(strconv.Itoa(i)), done: done.Done})
		if r := done.Result(t); !r.Ok() {
			t.Fatal(r)
		}
	}
}

// TestSpoolLateAnswer has a device leave with a message under way, and come back before the broker has answered it: that message is not sent twice.
func TestSpoolLateAnswer(t *testing.T) {
	back := make(chan struct{})
	got := make(chan *packets.Publish, 10)
	b := newScripted(t, func(p *peer) {
		p.accept(false)
		if p.number > 0 {
			for cp := p.next(); cp != nil; cp = p.next() {
				if c, ok := cp.Content.(*packets.Publish); ok {
					got <- c
					p.puback(c.PacketID, 0)
				}
			}
			return
		}
		first := p.next().Content.(*packets.Publish)
		got <- first
		p.next() // DISCONNECT
		<-back
		p.puback(first.PacketID, 0)
	})
	c := newConnector(t, spooled(t, b.url()))
	s, _ := connect(t, c, "device")
	publishNumbers(t, s, 0, 1) // even ones have QoS 1
	next(t, got, "0")
	publishNumbers(t, s, 2, 3)
	s.Close()
	s, _ = connect(t, c, "device")
	if r := connectortest.Publish(t, s, "t", 0, "QoS 0 does not wait"); !r.Ok() {
		t.Fatal(r)
	}
	next(t, got, "QoS 0 does not wait")
	close(back)
	next(t, got, "2")
	awaitDrained(t, c, 1)
}
