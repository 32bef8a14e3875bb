package mqtt

import (
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
)

// TestConnectFlags checks the session flags that the broker gets at login, at a reconnect, and at the end.
func TestConnectFlags(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		name   string
		expiry time.Duration
		clean  *bool
		login  bool   // Clean Start
		keep   uint32 // Session Expiry Interval in CONNECT
		ends   bool   // DISCONNECT ends the session
	}{
		{"default", 0, nil, true, 60, true},
		{"clean start 1", 0, &yes, true, 60, true},
		{"clean start 0", 0, &no, false, 60, true},
		{"kept", time.Hour, nil, false, 3600, false},
		{"kept, clean start 1", time.Hour, &yes, true, 3600, false},
		{"kept, clean start 0", time.Hour, &no, false, 3600, false},
		{"kept a little", 1500 * time.Millisecond, nil, false, 2, false},
		{"kept for ever", 1 << 62, nil, false, 1<<32 - 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			connects, ends := make(chan *packets.Connect, 2), make(chan *packets.Disconnect, 1)
			b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
				connects <- p.Accept(p.Number > 0)
				for cp := p.Next(); cp != nil; cp = p.Next() {
					switch content := cp.Content.(type) {
					case *packets.Publish:
						if p.Number == 0 {
							return
						}
						p.Puback(content.PacketID, 0)
					case *packets.Disconnect:
						ends <- content
					}
				}
			})
			cfg := clienttest.Quick(b.URL())
			cfg.SessionExpiry, cfg.CleanStart = c.expiry, c.clean
			s, _ := brokertest.Connect(t, newConnector(t, cfg), "c")
			if r := connectortest.Publish(t, s, "t", 1, "x"); !r.Ok() {
				t.Fatal(r)
			}
			s.Close()
			first, again, end := <-connects, <-connects, <-ends
			if first.CleanStart != c.login || again.CleanStart {
				t.Errorf("Clean Start is %v at login and %v after a loss, want %v and false", first.CleanStart,
					again.CleanStart, c.login)
			}
			for _, connect := range []*packets.Connect{first, again} {
				if got := connect.Properties.SessionExpiryInterval; got == nil || *got != c.keep {
					t.Errorf("the Session Expiry Interval is %v, want %d", got, c.keep)
				}
			}
			if zero := end.Properties.SessionExpiryInterval != nil &&
				*end.Properties.SessionExpiryInterval == 0; zero != c.ends || end.ReasonCode != 0 {
				t.Errorf("DISCONNECT ends the session: %v, want %v; its reason is 0x%02X", zero, c.ends, end.ReasonCode)
			}
		})
	}
}

// TestDurableSession expects a device that returns after a restart of the broker to get what was published meanwhile.
func TestDurableSession(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	cfg := clienttest.Quick(b.URL())
	cfg.SessionExpiry = time.Hour
	c := newConnector(t, cfg)
	s, d := brokertest.Connect(t, c, "device")
	if r := connectortest.Subscribe(t, s, "t", 1); !r.Ok() {
		t.Fatal(r)
	}
	s.Close()
	from, _ := brokertest.Connect(t, newConnector(t, clienttest.Quick(b.URL())), "from")
	brokertest.PublishNumbers(t, from, 0, 20)
	b.Stop(t)
	b.Restart(t)
	brokertest.PublishNumbers(t, from, 20, 40)
	if d.Unread() > 0 {
		t.Fatal("a device that has left gets messages")
	}
	s, d = brokertest.Connect(t, c, "device")
	brokertest.WantNumbers(t, d, 0, 40)
	brokertest.PublishNumbers(t, from, 40, 41)
	brokertest.WantNumbers(t, d, 40, 41)
	s.Close()
}
