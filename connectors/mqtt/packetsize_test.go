package mqtt

import (
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/runtime/gateway"
)

// TestPacketTooLarge has the broker send a message above the gateway's Maximum Packet Size.
func TestPacketTooLarge(t *testing.T) {
	sent := make(chan time.Time, 1)
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		c := p.Accept(true)
		if p.Number == 0 {
			if most := c.Properties.MaximumPacketSize; most == nil || *most != 1000 {
				t.Errorf("the Maximum Packet Size in CONNECT is %v", most)
			}
			p.Next()
			sent <- time.Now()
			p.Send(&packets.Publish{
				Properties: &packets.Properties{}, Topic: "t", QoS: 1, PacketID: 1,
				Payload: make([]byte, 2000),
			})
			p.Next()
			return
		}
		p.ServeAll()
	})
	cfg := clienttest.Quick(b.URL())
	cfg.MaxPacketSize = 1000
	c := newConnector(t, cfg)
	s, d := brokertest.Connect(t, c, "c")
	call := connectortest.NewCall()
	s.Publish("t", 1, []byte("x"), nil, call.Done)
	if r := call.Result(t); !r.Ok() {
		t.Fatal(r)
	}
	if pause := time.Since(<-sent); pause < 8*cfg.ReconnectDelay {
		t.Errorf("connected again after %v: the broker will send it again", pause)
	}
	if n := clienttest.Counted(t, c.broker, "losses_total", "packet_too_large"); n != 1 || d.Losses() != 0 ||
		d.Unread() != 0 {
		t.Fatalf("%v losses, %d of the session, %d messages", n, d.Losses(), d.Unread())
	}
}

// TestMaximumPacketSizeShrinks lowers the broker's Maximum Packet Size below the size of a publish in flight.
func TestMaximumPacketSizeShrinks(t *testing.T) {
	for _, present := range []bool{true, false} {
		for qos := byte(1); qos <= 2; qos++ {
			arrived := make(chan *packets.Publish, 10)
			b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
				p.Next()
				size := uint32(10000) >> (7 * p.Number)
				p.Send(&packets.Connack{
					Properties:     &packets.Properties{MaximumPacketSize: &size},
					SessionPresent: present && p.Number > 0,
				})
				for cp := p.Next(); cp != nil && p.Number > 0; cp = p.Next() {
					if c, ok := cp.Content.(*packets.Publish); ok {
						arrived <- c
						p.Puback(c.PacketID, 0)
					}
				}
			})
			s, d := brokertest.Connect(t, newConnector(t, clienttest.Quick(b.URL())), "c")
			large, small := connectortest.NewCall(), connectortest.NewCall()
			s.Publish("t", qos, make([]byte, 1000), nil, large.Done)
			s.Publish("t", 1, []byte("small"), nil, small.Done)
			if r := large.Result(t); r.Code != gateway.CodeLimit {
				t.Errorf("QoS %d: the large one: %v", qos, r)
			}
			if r := small.Result(t); !r.Ok() || d.Losses() != 0 {
				t.Errorf("QoS %d: what follows: %v", qos, r)
			}
			if p := <-arrived; string(p.Payload) != "small" {
				t.Errorf("the broker got %d bytes", len(p.Payload))
			}
			s.Close()
		}
	}
}
