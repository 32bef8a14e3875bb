package client

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/runtime/gateway"
)

func TestTakenOver(t *testing.T) {
	var connections atomic.Int32
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		connections.Add(1)
		p.Accept(false)
		p.Next()
		p.Disconnect(packets.DisconnectSessionTakenOver)
	})
	s, d := brokertest.Connect(t, newDevices(t, Quick(b.URL())), "c")
	call := connectortest.NewCall()
	s.Publish("t", 1, nil, nil, call.Done)
	if r := d.Lost(t); !r.Is(gateway.ReasonDiscarded) {
		t.Fatal(r)
	}
	if r := call.Result(t); r.Code != gateway.CodeConnProcessNotAlive {
		t.Fatal(r)
	}
	s.Close()
	if n := connections.Load(); n != 1 || call.Times() != 1 || d.Losses() != 1 {
		t.Fatalf("%d connections, %d results, %d losses", n, call.Times(), d.Losses())
	}
}

func TestThreeLosses(t *testing.T) {
	var connections atomic.Int32
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		connections.Add(1)
		p.Accept(false)
		if p.Number == 0 {
			p.Next()
		}
	})
	s, d := brokertest.Connect(t, newDevices(t, Quick(b.URL())), "c")
	s.Publish("t", 0, nil, nil, nil)
	if r := d.Lost(t); !r.Is(gateway.ReasonDiscarded) {
		t.Fatal(r)
	}
	if n := connections.Load(); n < 3 {
		t.Fatalf("lost after %d connections", n)
	}
}

// TestStalledBroker uses a broker that stops reading and answering after CONNACK.
func TestStalledBroker(t *testing.T) {
	release := make(chan struct{})
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		p.Accept(false)
		if p.Number == 0 {
			<-release
			return
		}
		p.ServeAll()
	})
	defer close(release)
	cfg := Quick(b.URL())
	cfg.KeepAlive, cfg.PacketTimeout = time.Second, time.Second
	s, d := brokertest.Connect(t, newDevices(t, cfg), "c")
	call := connectortest.NewCall()
	s.Publish("t", 1, make([]byte, 1000), nil, call.Done)
	var full atomic.Int32
	for full.Load() < 100 { // more than socket, write buffer and queue hold: nothing may block
		s.Publish("t", 0, make([]byte, 64<<10), nil, func(r gateway.Result) {
			if r.Code == gateway.CodeLimit {
				full.Add(1)
			}
		})
	}
	if r := call.Result(t); !r.Ok() { // the keep-alive notices, and the message is sent over the next connection
		t.Fatal(r)
	}
	if d.Losses() != 0 {
		t.Fatal("the session was lost")
	}
}

func TestAckTimeout(t *testing.T) {
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		p.Accept(true)
		for p.Number == 0 {
			if p.Next() == nil {
				return
			}
		}
		p.ServeAll()
	})
	cfg := Quick(b.URL())
	cfg.AckTimeout = 500 * time.Millisecond
	s, _ := brokertest.Connect(t, newDevices(t, cfg), "c")
	if r := connectortest.Publish(t, s, "t", 1, "x"); !r.Ok() {
		t.Fatal(r)
	}
}

// TestRefusedReconnect expects the session to end if the broker refuses the reconnect.
func TestRefusedReconnect(t *testing.T) {
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		if p.Number == 0 {
			p.Accept(false)
			p.Next()
			return
		}
		p.Next()
		p.Send(&packets.Connack{Properties: &packets.Properties{}, ReasonCode: packets.ConnackNotAuthorized})
	})
	s, d := brokertest.Connect(t, newDevices(t, Quick(b.URL())), "c")
	s.Publish("t", 1, nil, nil, nil)
	if r := d.Lost(t); !r.Is(gateway.ReasonUpstreamLost) {
		t.Fatal(r)
	}
}

// TestLossWindow counts only losses within lossWindow.
func TestLossWindow(t *testing.T) {
	s, start := &Client{broker: &Broker{}}, time.Now()
	for i, c := range []struct {
		at   time.Duration
		want bool
	}{
		{0, false},
		{5 * time.Second, false},
		{11 * time.Second, false},
		{16 * time.Second, false},
		{17 * time.Second, true},
		{40 * time.Second, false},
		{49 * time.Second, false},
		{50 * time.Second, true},
	} {
		if got := s.lostTooOften(start.Add(c.at)); got != c.want {
			t.Fatalf("loss %d at %v: %v", i, c.at, got)
		}
	}
}

// TestOutages expects losses to be ignored if most connections are lost at the same time, even for the first client
// that would end.
func TestOutages(t *testing.T) {
	for _, c := range []struct {
		connected, lost int
		want            bool
	}{
		{connected: 1, lost: 1, want: true},
		{connected: 5, lost: 5, want: true},
		{connected: 7, lost: 7, want: true},
		{connected: 8, lost: 8, want: false},
		{connected: 20, lost: 10, want: true},
		{connected: 20, lost: 11, want: false},
	} {
		b := &Broker{links: map[*link]struct{}{}}
		for range c.connected {
			b.links[&link{}] = struct{}{}
		}
		clients, now := make([]Client, c.lost), time.Now()
		for i := range clients {
			clients[i].broker = b
		}
		ended := false
		for range lossLimit {
			for i := range clients {
				ended = clients[i].lostTooOften(now) || ended
				now = now.Add(outageWindow / time.Duration(c.lost))
			}
			now = now.Add(outageWindow)
		}
		if ended != c.want {
			t.Errorf("%d of %d connections lost %d times: a client ended: %v", c.lost, c.connected, lossLimit, ended)
		}
	}
}
