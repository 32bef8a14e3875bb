package mqtt

import (
	"sync/atomic"
	"testing"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// TestResend loses the connection at each step of a publish and expects it to continue as MQTT requires.
func TestResend(t *testing.T) {
	for _, c := range []struct {
		name    string
		qos     byte
		present bool // the broker has kept the session
		pubrec  bool // the broker had answered PUBREC
		want    byte // the first packet after the reconnect
		dup     bool
	}{
		{"QoS 1, session kept", 1, true, false, packets.PUBLISH, true},
		{"QoS 1, session gone", 1, false, false, packets.PUBLISH, false},
		{"QoS 2, session kept", 2, true, false, packets.PUBLISH, true},
		{"QoS 2 released, session kept", 2, true, true, packets.PUBREL, false},
		{"QoS 2 released, session gone", 2, false, true, packets.PUBLISH, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			again := make(chan *packets.ControlPacket, 1)
			var firstID atomic.Uint32
			b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
				connect := p.Accept(c.present && p.Number > 0)
				if connect == nil || connect.CleanStart != (p.Number == 0) {
					t.Errorf("connection %d: %v", p.Number, connect)
					return
				}
				cp := p.Next()
				if p.Number == 0 {
					firstID.Store(uint32(cp.PacketID()))
					if c.pubrec {
						p.Send(&packets.Pubrec{Properties: &packets.Properties{}, PacketID: cp.PacketID()})
						p.Next()
					}
					return
				}
				again <- cp
				p.Send(&packets.Puback{Properties: &packets.Properties{}, PacketID: cp.PacketID()})
				if c.qos == 2 && cp.Type == packets.PUBLISH {
					p.Send(&packets.Pubrec{Properties: &packets.Properties{}, PacketID: cp.PacketID()})
					p.Next()
				}
				p.Send(&packets.Pubcomp{Properties: &packets.Properties{}, PacketID: cp.PacketID()})
				p.ServeAll()
			})
			s, _ := brokertest.Connect(t, newConnector(t, clienttest.Quick(b.URL())), "c")
			call := connectortest.NewCall()
			s.Publish("t", c.qos, []byte("payload"), nil, call.Done)
			cp := <-again
			if cp.Type != c.want {
				t.Fatalf("got %s", cp.PacketType())
			}
			if sameID := cp.PacketID() == uint16(firstID.Load()); sameID != c.present {
				t.Errorf("the packet id is %d, it was %d", cp.PacketID(), firstID.Load())
			}
			if p, ok := cp.Content.(*packets.Publish); ok && (p.Duplicate != c.dup || string(p.Payload) != "payload") {
				t.Errorf("got %v", p)
			}
			if r := call.Result(t); !r.Ok() || call.Times() != 1 {
				t.Fatal(r, call.Times())
			}
		})
	}
}

// TestResubscribe expects all filters to be restored, except one that the broker now refuses.
func TestResubscribe(t *testing.T) {
	asked := make(chan []packets.SubOptions, 1)
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		p.Accept(p.Number > 0)
		if p.Number == 0 {
			for range 3 {
				c := p.Next().Content.(*packets.Subscribe)
				p.Suback(c.PacketID, 1)
			}
			p.Next()
			return
		}
		c := p.Next().Content.(*packets.Subscribe)
		asked <- c.Subscriptions
		p.Suback(c.PacketID, 1, 0x87, 1)
		p.ServeAll()
	})
	c := newConnector(t, clienttest.Quick(b.URL()))
	s, d := brokertest.Connect(t, c, "c")
	for _, filter := range []string{"a", "b", "c/#"} {
		if r := connectortest.Subscribe(t, s, filter, 1); !r.Ok() {
			t.Fatal(r)
		}
	}
	if r := connectortest.Publish(t, s, "t", 1, "x"); !r.Ok() {
		t.Fatal(r)
	}
	got := <-asked
	if len(got) != 3 || got[0].Topic != "a" || got[2].Topic != "c/#" || got[0].QoS != 1 || got[0].RetainHandling != 1 {
		t.Fatalf("got %+v", got)
	}
	gatewaytest.Eventually(t, "a refusal counted",
		func() bool { return clienttest.Counted(t, c.broker, "resubscribes_refused_total") == 1 })
	if left := s.(*Session).client.State().Filters; left != 2 || d.Losses() != 0 {
		t.Fatalf("%d filters are left, %d losses", left, d.Losses())
	}
}

// TestDuplicateQoS2 sends a QoS 2 message twice before it is released.
func TestDuplicateQoS2(t *testing.T) {
	message := func(id uint16, dup bool) *packets.Publish {
		return &packets.Publish{
			Properties: &packets.Properties{}, Topic: "t", QoS: 2, PacketID: id, Duplicate: dup,
			Payload: []byte("x"),
		}
	}
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		p.Accept(true)
		p.Send(message(5, false))
		p.Next()
		if p.Number == 0 {
			p.Next()
			return
		}
		p.Send(message(5, true))
		p.Next()
		p.Send(&packets.Pubrel{Properties: &packets.Properties{}, PacketID: 5})
		p.Next()
		p.Send(message(5, false))
		p.ServeAll()
	})
	s, d := brokertest.Connect(t, newConnector(t, clienttest.Quick(b.URL())), "c")
	s.Publish("go", 0, nil, nil, nil)
	d.AwaitUnread(t, 2)
	if n := d.Unread(); n != 2 {
		t.Fatalf("%d messages", n)
	}
}
