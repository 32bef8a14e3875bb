package mqtt

import (
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/runtime/gateway"
)

func TestNeverSuback(t *testing.T) {
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		p.Accept(false)
		for cp := p.Next(); cp != nil; cp = p.Next() {
			if c, ok := cp.Content.(*packets.Publish); ok {
				p.Puback(c.PacketID, 0)
			}
		}
	})
	c := newConnector(t, client.Config{URL: b.URL(), PacketTimeout: 50 * time.Millisecond})
	s, d := brokertest.Connect(t, c, "c")
	if r := connectortest.Subscribe(t, s, "t", 0); r.Code != gateway.CodeUnknown {
		t.Fatal(r)
	}
	if r := connectortest.Unsubscribe(t, s, "t"); r.Code != gateway.CodeUnknown {
		t.Fatal(r)
	}
	if r := connectortest.Publish(t, s, "t", 1, "x"); !r.Ok() || d.Losses() != 0 {
		t.Fatal(r, d.Losses())
	}
}

func TestReasonCodes(t *testing.T) {
	answers := map[string]byte{"nobody": 0x10, "denied": 0x87, "full": 0x97, "odd": 0x83}
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		p.Accept(false)
		for cp := p.Next(); cp != nil; cp = p.Next() {
			switch c := cp.Content.(type) {
			case *packets.Publish:
				if c.QoS == 1 {
					p.Puback(c.PacketID, answers[c.Topic])
				} else {
					p.Send(&packets.Pubrec{
						Properties: &packets.Properties{}, PacketID: c.PacketID,
						ReasonCode: answers[c.Topic],
					})
				}
			case *packets.Pubrel:
				p.Send(&packets.Pubcomp{Properties: &packets.Properties{}, PacketID: c.PacketID})
			case *packets.Subscribe:
				p.Suback(c.PacketID, answers[c.Subscriptions[0].Topic])
			case *packets.Unsubscribe:
				p.Send(&packets.Unsuback{
					Properties: &packets.Properties{}, PacketID: c.PacketID,
					Reasons: []byte{0x11},
				})
			}
		}
	})
	s, _ := brokertest.Connect(t, newConnector(t, client.Config{URL: b.URL()}), "c")
	want := map[string]gateway.ResultCode{
		"nobody": gateway.CodeSuccess, "denied": gateway.CodePermissionDeny, "full": gateway.CodeLimit,
		"odd": gateway.CodeUnknown,
	}
	for topic, code := range want {
		for qos := byte(1); qos <= 2; qos++ {
			if r := connectortest.Publish(t, s, topic, qos, "x"); r.Code != code {
				t.Errorf("publishing %s with QoS %d: %v", topic, qos, r)
			}
		}
		if topic == "nobody" { // 0x10 is not a SUBACK reason code
			code = gateway.CodeUnknown
		}
		if r := connectortest.Subscribe(t, s, topic, 0); r.Code != code {
			t.Errorf("subscribing %s: %v", topic, r)
		}
	}
	if r := connectortest.Unsubscribe(t, s, "t"); !r.Ok() {
		t.Errorf("unsubscribing: %v", r)
	}
}

// TestStrayAnswers sends acknowledgements that no call waits for.
func TestStrayAnswers(t *testing.T) {
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		p.Accept(false)
		for cp := p.Next(); cp != nil; cp = p.Next() {
			if c, ok := cp.Content.(*packets.Publish); ok {
				p.Puback(c.PacketID+1, 0)
				p.Send(&packets.Pubcomp{Properties: &packets.Properties{}, PacketID: c.PacketID})
				p.Send(&packets.Pubrec{Properties: &packets.Properties{}, PacketID: c.PacketID})
				p.Suback(c.PacketID, 0)
				p.Suback(c.PacketID + 1)
				p.Send(&packets.Pubrel{Properties: &packets.Properties{}, PacketID: 7})
				p.Puback(c.PacketID, 0)
			}
		}
	})
	s, _ := brokertest.Connect(t, newConnector(t, client.Config{URL: b.URL()}), "c")
	for range 3 {
		if r := connectortest.Publish(t, s, "t", 1, "x"); !r.Ok() {
			t.Fatal(r)
		}
	}
}

// TestOneUnacknowledged expects the second QoS 1 publish, and everything after it, only after the first PUBACK.
func TestOneUnacknowledged(t *testing.T) {
	order := make(chan string, 8)
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		p.Accept(false)
		first := p.Next().Content.(*packets.Publish)
		order <- first.Topic
		_ = p.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if early := p.Next(); early != nil {
			order <- "early " + early.Content.(*packets.Publish).Topic
		}
		_ = p.SetReadDeadline(time.Time{})
		p.Puback(first.PacketID, 0)
		for range 3 {
			c := p.Next().Content.(*packets.Publish)
			order <- c.Topic
			if c.QoS == 1 {
				p.Puback(c.PacketID, 0)
			}
		}
		p.ServeAll()
	})
	s, _ := brokertest.Connect(t, newConnector(t, client.Config{URL: b.URL()}), "c")
	calls := make([]*connectortest.Call, 4)
	for i, topic := range []string{"a", "b", "c", "d"} {
		calls[i] = connectortest.NewCall()
		s.Publish(topic, byte(1-i/2), nil, nil, calls[i].Done)
	}
	for _, c := range calls {
		if r := c.Result(t); !r.Ok() {
			t.Fatal(r)
		}
	}
	for _, want := range []string{"a", "b", "c", "d"} {
		if got := <-order; got != want {
			t.Fatalf("the broker got %s, want %s", got, want)
		}
	}
}

func TestBrokerLimits(t *testing.T) {
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		p.Next()
		ack := packets.NewControlPacket(packets.CONNACK)
		size, qos := uint32(100), byte(1)
		ack.Content.(*packets.Connack).Properties = &packets.Properties{MaximumPacketSize: &size, MaximumQOS: &qos}
		p.Send(ack)
		p.ServeAll()
	})
	s, _ := brokertest.Connect(t, newConnector(t, client.Config{URL: b.URL()}), "c")
	for qos := byte(0); qos <= 1; qos++ {
		if r := connectortest.Publish(t, s, "t", qos, string(make([]byte, 200))); r.Code != gateway.CodeLimit {
			t.Error(r)
		}
	}
	if r := connectortest.Publish(t, s, "t", 2, "x"); r.Code != gateway.CodeUnsupported {
		t.Error(r)
	}
	if r := connectortest.Publish(t, s, "t", 1, "x"); !r.Ok() {
		t.Error(r)
	}
}
