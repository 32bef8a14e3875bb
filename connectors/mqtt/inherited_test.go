package mqtt

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// TestInheritedIDs publishes in a session where the broker still holds QoS 2 ids that an earlier process of the gateway
// has used and not released. The broker follows MQTT 5: a message with such an id is a duplicate. None may be lost.
func TestInheritedIDs(t *testing.T) {
	const n = 40
	taken := make(chan string, n)
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		p.Accept(true)
		held := map[uint16]bool{}
		for id := range uint16(100) {
			held[id+1] = true
		}
		for cp := p.Next(); cp != nil; cp = p.Next() {
			switch c := cp.Content.(type) {
			case *packets.Publish:
				if !held[c.PacketID] {
					held[c.PacketID] = true
					taken <- string(c.Payload)
				}
				p.Send(&packets.Pubrec{Properties: &packets.Properties{}, PacketID: c.PacketID})
			case *packets.Pubrel:
				answer := &packets.Pubcomp{Properties: &packets.Properties{}, PacketID: c.PacketID}
				if !held[c.PacketID] {
					answer.ReasonCode = packets.PubcompPacketIdentifierNotFound
				}
				delete(held, c.PacketID)
				p.Send(answer)
			}
		}
	})
	cfg := clienttest.Quick(b.URL())
	cfg.SessionExpiry = time.Hour
	s, _ := brokertest.Connect(t, newConnector(t, cfg), "device")
	for i := range n {
		if r := connectortest.Publish(t, s, "t", 2, fmt.Sprint(i)); !r.Ok() {
			t.Fatal(r)
		}
		select {
		case got := <-taken:
			if got != fmt.Sprint(i) {
				t.Fatalf("the broker took %q, want %d", got, i)
			}
		default:
			t.Fatalf("message %d was taken for a duplicate", i)
		}
	}
}

// TestInheritedIDsAtMosquitto leaves a session behind as a gateway does that is killed while QoS 2 messages are under
// way. The device returns and publishes the same messages again.
func TestInheritedIDsAtMosquitto(t *testing.T) {
	const n = 4
	b := mosquitto.Start(t, mosquitto.Options{})
	from, d := brokertest.Connect(t, newConnector(t, clienttest.Quick(b.URL())), "subscriber")
	if r := connectortest.Subscribe(t, from, "t/#", 0); !r.Ok() {
		t.Fatal(r)
	}
	conn, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	killed := &brokertest.Peer{Conn: conn}
	expiry := uint32(3600)
	killed.Send(&packets.Connect{
		ProtocolName: "MQTT", ProtocolVersion: 5, ClientID: "device", CleanStart: true,
		Properties: &packets.Properties{SessionExpiryInterval: &expiry},
	})
	killed.Next()
	for id := range uint16(n) {
		killed.Send(&packets.Publish{
			Properties: &packets.Properties{}, Topic: "t", QoS: 2, PacketID: id + 1, Payload: []byte("x"),
		})
		if cp := killed.Next(); cp == nil || cp.Type != packets.PUBREC {
			t.Fatalf("got %v", cp)
		}
	}
	_ = conn.Close()

	cfg := clienttest.Quick(b.URL())
	cfg.SessionExpiry = time.Hour
	s, _ := brokertest.Connect(t, newConnector(t, cfg), "device")
	for range n {
		if r := connectortest.Publish(t, s, "t", 2, "x"); !r.Ok() {
			t.Fatal(r)
		}
	}
	if r := connectortest.Publish(t, s, "t/end", 2, "x"); !r.Ok() {
		t.Fatal(r)
	}
	got := 0
	gatewaytest.Eventually(t, "the last message", func() bool {
		for d.Unread() > 0 {
			if d.Next(t).Topic == "t/end" {
				return true
			}
			got++
		}
		return false
	})
	// The broker publishes what it held once it is released.
	if got != 2*n {
		t.Errorf("%d messages have arrived, want %d from before and %d more", got, n, n)
	}
}
