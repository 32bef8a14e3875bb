package shared

import (
	"fmt"
	"testing"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/internal/spool"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
)

// TestSharedLateAnswers closes the gateway with messages of many devices in flight on one connection. The broker
// acknowledges them only when it receives DISCONNECT. None may stay in the spool, where it would be sent again.
func TestSharedLateAnswers(t *testing.T) {
	const devices = 10
	arrived := make(chan struct{}, devices)
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		if p.Accept(false) == nil {
			return
		}
		var held []uint16
		for cp := p.Next(); cp != nil; cp = p.Next() {
			switch c := cp.Content.(type) {
			case *packets.Publish:
				if string(c.Payload) != "x" {
					p.Puback(c.PacketID, 0)
					continue
				}
				held = append(held, c.PacketID)
				arrived <- struct{}{}
			case *packets.Subscribe:
				p.Suback(c.PacketID, packets.SubackNotauthorized)
			case *packets.Disconnect:
				for _, id := range held {
					p.Puback(id, 0)
				}
				return
			}
		}
	})
	broker := openBroker(t, clienttest.Spooled(t, b.URL()))
	s := openConnector(t, broker, Config{Connections: 1})
	for i := range devices {
		session, _ := brokertest.Connect(t, s, fmt.Sprint("device-", i))
		if r := connectortest.Publish(t, session, "t", 1, "x"); !r.Ok() {
			t.Fatal(r)
		}
	}
	for range devices {
		<-arrived
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := broker.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, err := spool.Open(spool.Config{Folder: broker.Config().Spool.Folder})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = left.Close() }()
	if ids := left.Left(); len(ids) > 0 {
		t.Fatalf("acknowledged messages are left of %q", ids)
	}
}
