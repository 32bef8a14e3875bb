package mqtt

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/internal/spool"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"

	"github.com/exgate/exgate/connectors/mqtt/brokertest"
)

// TestSharedSpool makes devices log in, publish, log out and log in again before the broker is up: every message must
// arrive, in order.
func TestSharedSpool(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	listener := brokertest.Listen(t, newConnector(t, clienttest.Lasting(b.URL())), "spooled/#")
	b.Stop(t)
	s := newShared(t, clienttest.Spooled(t, b.URL()), SharedConfig{Connections: 2})
	const devices, rounds, messages = 10, 4, 10
	for round := range rounds {
		var calls []*connectortest.Call
		for i := range devices {
			m := brokertest.LogIn(t, s, fmt.Sprint("device-", i))
			for n := range messages {
				call := connectortest.NewCall()
				calls = append(calls, call)
				m.Publish("spooled/"+m.Id, byte(1+n%2), []byte(strconv.Itoa(round*messages+n)), call.Done)
			}
			if i%2 == 0 {
				m.Close()
			}
		}
		for _, call := range calls {
			if r := call.Result(t); !r.Ok() {
				t.Fatal(r)
			}
		}
	}
	b.Restart(t)
	last := brokertest.LogIn(t, s, "device-0")
	brokertest.Publish(t, last, "spooled/"+last.Id, 1, strconv.Itoa(rounds*messages))
	next := make([]int, devices)
	for !slices.Equal(next, append([]int{rounds*messages + 1}, slices.Repeat([]int{rounds * messages}, devices-1)...)) {
		got := listener.Next(t)
		var device int
		if _, err := fmt.Sscanf(got.Topic, "spooled/device-%d", &device); err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(string(got.Payload))
		if err != nil || n > next[device] {
			t.Fatalf("device %d: got %s, want %d", device, got.Payload, next[device])
		}
		next[device] = max(next[device], n+1)
	}
	gatewaytest.Eventually(t, "the spool to be empty", func() bool { return len(s.broker.Spooled()) == 0 })
	if n := clienttest.Counted(t, s.broker, "dropped_total", "spooled_refused"); n > 0 {
		t.Errorf("%v messages were refused", n)
	}
}

// TestSharedLateAnswers closes the gateway with messages of many devices under way on one connection. The broker
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
	c := newConnector(t, clienttest.Spooled(t, b.Url()))
	s, err := c.Shared(SharedConfig{Authenticator: access.Everybody(), Connections: 1})
	if err != nil {
		t.Fatal(err)
	}
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
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, err := spool.Open(spool.Config{Folder: c.broker.Config().Spool.Folder})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = left.Close() }()
	if ids := left.Left(); len(ids) > 0 {
		t.Fatalf("acknowledged messages are left of %q", ids)
	}
}
