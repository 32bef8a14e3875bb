package mqtt

import (
	"fmt"
	"testing"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/internal/spool"
)

// TestSharedLateAnswers closes the gateway with a message of each of many devices under way on one connection. The broker acknowledges all of them when
// it is told goodbye, and none is left in the spool to be sent again.
func TestSharedLateAnswers(t *testing.T) {
	const devices = 10
	arrived := make(chan struct{}, devices)
	b := newScripted(t, func(p *peer) {
		if p.accept(false) == nil {
			return
		}
		var held []uint16
		for cp := p.next(); cp != nil; cp = p.next() {
			switch c := cp.Content.(type) {
			case *packets.Publish:
				if string(c.Payload) != "x" {
					p.puback(c.PacketID, 0)
					continue
				}
				held = append(held, c.PacketID)
				arrived <- struct{}{}
			case *packets.Subscribe:
				p.suback(c.PacketID, packets.SubackNotauthorized)
			case *packets.Disconnect:
				for _, id := range held {
					p.puback(id, 0)
				}
				return
			}
		}
	})
	c := newConnector(t, spooled(t, b.url()))
	s, err := c.Shared(SharedConfig{Authenticator: access.Everybody(), Connections: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range devices {
		session, _ := connectShared(t, s, fmt.Sprint("device-", i))
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
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, err := spool.Open(spool.Config{Folder: c.cfg.Spool.Folder})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = left.Close() }()
	if ids := left.Left(); len(ids) > 0 {
		t.Fatalf("acknowledged messages are left of %q", ids)
	}
}
