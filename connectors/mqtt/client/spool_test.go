package client

import (
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/internal/spool"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/wire"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// awaitDrained waits until the spool is empty and has no users except n sessions.
func awaitDrained(t *testing.T, c *deviceConnector, n int) {
	t.Helper()
	gatewaytest.Eventually(t, "the spool to be empty", func() bool {
		c.broker.mu.Lock()
		users := 0
		for _, g := range c.broker.backlogs {
			users += g.users
		}
		c.broker.mu.Unlock()
		return users == n && len(c.broker.spool.spool.Left()) == 0
	})
}

// TestSpoolWhileDown stops the broker: publishes succeed, and arrive in order after its restart.
func TestSpoolWhileDown(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	d := brokertest.Listen(t, newDevices(t, Lasting(b.URL())), "t")
	c := newDevices(t, Spooled(t, b.URL()))
	s, own := brokertest.Connect(t, c, "device")
	brokertest.PublishNumbers(t, s, 0, 10)
	b.Stop(t)
	AwaitLoss(t, c.broker, lossNetwork, 1)
	brokertest.PublishNumbers(t, s, 10, 200)
	if r := connectortest.Publish(t, s, "t", 0, "x"); r.Code != gateway.CodeUnknown {
		t.Fatalf("QoS 0 is not for the spool: %v", r)
	}
	b.Restart(t)
	brokertest.PublishNumbers(t, s, 200, 210)
	brokertest.WantNumbers(t, d, 0, 210)
	awaitDrained(t, c, 1)
	if own.Losses() != 0 {
		t.Fatal("the session was lost")
	}
}

// TestSpoolWhilePaused loses the connection with a publish in flight that the broker may have accepted.
func TestSpoolWhilePaused(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	d := brokertest.Listen(t, newDevices(t, Lasting(b.URL())), "t")
	cfg := Spooled(t, b.URL())
	cfg.AckTimeout, cfg.ConnectTimeout = time.Second, time.Second
	c := newDevices(t, cfg)
	s, _ := brokertest.Connect(t, c, "device")
	brokertest.PublishNumbers(t, s, 0, 10)
	b.Pause(t)
	brokertest.PublishNumbers(t, s, 10, 100)
	AwaitLoss(t, c.broker, lossUnanswered, 1)
	brokertest.PublishNumbers(t, s, 100, 110)
	b.Resume(t)
	brokertest.PublishNumbers(t, s, 110, 120)
	brokertest.WantNumbers(t, d, 0, 120)
	awaitDrained(t, c, 1)
}

// TestSpoolLeftByDevice expects the gateway client to publish what a device left.
func TestSpoolLeftByDevice(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	d := brokertest.Listen(t, newDevices(t, Lasting(b.URL())), "t")
	c := newDevices(t, Spooled(t, b.URL()))
	s, _ := brokertest.Connect(t, c, "device")
	b.Stop(t)
	AwaitLoss(t, c.broker, lossNetwork, 1)
	brokertest.PublishNumbers(t, s, 0, 100)
	s.Close()
	b.Restart(t)
	brokertest.WantNumbers(t, d, 0, 100)
	awaitDrained(t, c, 0)
}

// TestSpoolLeftByGateway opens the folder of a connector that was closed with messages in the spool.
func TestSpoolLeftByGateway(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	d := brokertest.Listen(t, newDevices(t, Lasting(b.URL())), "t")
	cfg := Spooled(t, b.URL())
	c := newDevices(t, cfg)
	s, _ := brokertest.Connect(t, c, "device")
	b.Stop(t)
	AwaitLoss(t, c.broker, lossNetwork, 1)
	brokertest.PublishNumbers(t, s, 0, 100)
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Restart(t)
	c = newDevices(t, cfg)
	brokertest.WantNumbers(t, d, 0, 100)
	awaitDrained(t, c, 0)
}

// TestSpoolWaitsForDevice refuses the gateway's account: what a device left waits until the device is connected again.
func TestSpoolWaitsForDevice(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"gateway": "g", "device": "d"}, Dynamic: true})
	b.Deny(t, "gateway", mosquitto.Publish, "t")
	var log gatewaytest.Log
	cfg := Spooled(t, b.URL())
	cfg.Username, cfg.Password, cfg.Logger = "gateway", "g", log.Logger()
	c := newDevices(t, cfg)
	s, _ := brokertest.Login(t, c, "device", "device", "d")
	b.Stop(t)
	AwaitLoss(t, c.broker, lossNetwork, 1)
	brokertest.PublishNumbers(t, s, 0, 20)
	s.Close()
	b.Restart(t)
	gatewaytest.Eventually(t, "the gateway to be refused", func() bool {
		return strings.Contains(log.String(),
			"it waits for the device")
	})
	if left := c.broker.spool.spool.Left(); len(left) != 1 {
		t.Fatalf("%v are left", left)
	}
	listener, d := brokertest.Login(t, c, "listener", "device", "d")
	if r := connectortest.Subscribe(t, listener, "t", 1); !r.Ok() {
		t.Fatal(r)
	}
	s, _ = brokertest.Login(t, c, "device", "device", "d")
	brokertest.PublishNumbers(t, s, 20, 30)
	brokertest.WantNumbers(t, d, 0, 30)
	awaitDrained(t, c, 2)
}

// answering runs a broker that answers each QoS 1 publish with a reason code, and returns what it got.
func answering(t *testing.T, connack func(p *brokertest.Peer) *packets.Connack,
	reason func(c *packets.Publish) byte,
) (url string, got chan *packets.Publish) {
	t.Helper()
	got = make(chan *packets.Publish, 100)
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		if p.Next() == nil {
			return
		}
		p.Send(connack(p))
		for cp := p.Next(); cp != nil; cp = p.Next() {
			switch c := cp.Content.(type) {
			case *packets.Publish:
				got <- c
				switch c.QoS {
				case 1:
					p.Puback(c.PacketID, reason(c))
				case 2:
					p.Send(&packets.Pubrec{
						Properties: &packets.Properties{}, PacketID: c.PacketID,
						ReasonCode: reason(c),
					})
				}
			case *packets.Pubrel:
				p.Send(&packets.Pubcomp{Properties: &packets.Properties{}, PacketID: c.PacketID})
			}
		}
	})
	return b.URL(), got
}

func plainly(*brokertest.Peer) *packets.Connack {
	return &packets.Connack{Properties: &packets.Properties{}}
}

func next(t *testing.T, got chan *packets.Publish, want string) *packets.Publish {
	t.Helper()
	select {
	case p := <-got:
		if string(p.Payload) != want {
			t.Fatalf("the broker got %q, want %q", p.Payload, want)
		}
		return p
	case <-time.After(brokertest.Patience):
		t.Fatalf("timed out waiting for %q", want)
		return nil
	}
}

// TestSpoolRefused expects a permanently refused message to be dropped and counted, and the next one to be sent.
func TestSpoolRefused(t *testing.T) {
	for _, qos := range []byte{1, 2} {
		url, got := answering(t, plainly, func(c *packets.Publish) byte {
			if string(c.Payload) == "0" {
				return packets.PubackNotAuthorized
			}
			return 0
		})
		c := newDevices(t, Spooled(t, url))
		s, d := brokertest.Connect(t, c, "device")
		for _, payload := range []string{"0", "1"} {
			if r := connectortest.Publish(t, s, "t", qos, payload); !r.Ok() {
				t.Fatal(r)
			}
			next(t, got, payload)
		}
		awaitDrained(t, c, 1)
		if n := testutil.ToFloat64(c.broker.metrics.dropped.WithLabelValues(dropRefused)); n != 1 || d.Losses() != 0 {
			t.Fatalf("%v counted, %d losses", n, d.Losses())
		}
	}
}

// TestSpoolQuotaExceeded expects a temporarily refused message to be sent again, before later ones.
func TestSpoolQuotaExceeded(t *testing.T) {
	t.Parallel() // the pause takes seconds
	for _, reason := range []byte{
		packets.PubackQuotaExceeded, packets.PubackUnspecifiedError,
		packets.PubackImplementationSpecificError,
	} {
		t.Run(wire.ReasonName(reason), func(t *testing.T) {
			t.Parallel()
			times := 0
			url, got := answering(t, plainly, func(*packets.Publish) byte {
				if times++; times == 1 {
					return reason
				}
				return 0
			})
			c := newDevices(t, Spooled(t, url))
			s, _ := brokertest.Connect(t, c, "device")
			for _, payload := range []string{"0", "1"} {
				if r := connectortest.Publish(t, s, "t", 1, payload); !r.Ok() {
					t.Fatal(r)
				}
			}
			for _, want := range []string{"0", "0", "1"} {
				next(t, got, want)
			}
			awaitDrained(t, c, 1)
			if n := testutil.ToFloat64(c.broker.metrics.dropped.WithLabelValues(dropRefused)); n != 0 {
				t.Fatalf("%v dropped", n)
			}
		})
	}
}

// TestSpoolMaximumQoS uses a broker with a Maximum QoS below 2: stored messages are sent with that QoS.
func TestSpoolMaximumQoS(t *testing.T) {
	for most := range byte(2) {
		url, got := answering(t, func(*brokertest.Peer) *packets.Connack {
			return &packets.Connack{Properties: &packets.Properties{MaximumQOS: &most}}
		}, func(*packets.Publish) byte { return 0 })
		c := newDevices(t, Spooled(t, url))
		storeNumbers(t, c, "device", 2, time.Now())
		brokertest.Connect(t, c, "device")
		for _, want := range []string{"0", "1"} {
			if p := next(t, got, want); p.QoS != most {
				t.Fatalf("QoS %d where the broker takes %d", p.QoS, most)
			}
		}
		awaitDrained(t, c, 1)
	}
}

// TestSpoolMaximumQoSLowered lowers the Maximum QoS while a message is in flight.
func TestSpoolMaximumQoSLowered(t *testing.T) {
	t.Parallel() // the pause takes seconds
	least := byte(0)
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		if p.Number == 0 {
			p.Accept(false)
			p.Next()
			return
		}
		p.Next()
		p.Send(&packets.Connack{Properties: &packets.Properties{MaximumQOS: &least}})
		if c, ok := p.Next().Content.(*packets.Publish); !ok || c.QoS != 0 || string(c.Payload) != "x" {
			t.Errorf("got %v", c)
		}
		p.ServeAll()
	})
	c := newDevices(t, Spooled(t, b.URL()))
	s, _ := brokertest.Connect(t, c, "device")
	if r := connectortest.Publish(t, s, "t", 2, "x"); !r.Ok() {
		t.Fatal(r)
	}
	awaitDrained(t, c, 1)
	if n := testutil.ToFloat64(c.broker.metrics.dropped.WithLabelValues(dropRefused)); n != 0 {
		t.Fatalf("%v dropped", n)
	}
}

// TestSpoolMessageExpiry counts the time in the spool.
func TestSpoolMessageExpiry(t *testing.T) {
	url, got := answering(t, plainly, func(*packets.Publish) byte { return 0 })
	cfg := Spooled(t, url)
	cfg.MessageExpiry, cfg.UserProperties = time.Minute, true
	c := newDevices(t, cfg)
	storeNumbers(t, c, "device", 1, time.Now().Add(-2*time.Minute))
	storeNumbers(t, c, "device", 1, time.Now().Add(-30*time.Second))
	device := gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "device", ProtoName: "mine"}}
	s, err := c.Connect(t.Context(), device, "", connectortest.NewDevice())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if e := next(t, got, "0").Properties.MessageExpiry; e == nil || *e > 30 || *e == 0 {
		t.Errorf("half of it is left: got %v", e)
	}
	if r := connectortest.Publish(t, s, "t", 1, "new"); !r.Ok() {
		t.Fatal(r)
	}
	p := next(t, got, "new").Properties
	if p.MessageExpiry == nil || *p.MessageExpiry != 60 || len(p.User) != 1 || p.User[0].Value != "mine" {
		t.Errorf("a new one has %v", p)
	}
	awaitDrained(t, c, 1)
	if n := testutil.ToFloat64(c.broker.metrics.dropped.WithLabelValues(dropExpired)); n != 1 {
		t.Errorf("%v expired", n)
	}
}

// TestSpoolKeepsProperties expects what a device has published, and the earlier of its expiry and the configured one.
func TestSpoolKeepsProperties(t *testing.T) {
	url, got := answering(t, plainly, func(*packets.Publish) byte { return 0 })
	cfg := Spooled(t, url)
	cfg.MessageExpiry, cfg.UserProperties = time.Hour, true
	c := newDevices(t, cfg)
	device := gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "device", ProtoName: "mine"}}
	s, err := c.Connect(t.Context(), device, "", connectortest.NewDevice())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := connectortest.PublishWith(t, s, "t", 1, "a", &gateway.Properties{
		Retain: true, Expiry: 60, ContentType: "text/plain", ResponseTopic: "r", Correlation: []byte{0},
		User: []gateway.Property{{Name: "k", Value: "v"}},
	})
	if !r.Ok() {
		t.Fatal(r)
	}
	m := next(t, got, "a")
	if p := m.Properties; !m.Retain || p.MessageExpiry == nil || *p.MessageExpiry != 60 ||
		p.ContentType != "text/plain" || p.ResponseTopic != "r" || string(p.CorrelationData) != "\x00" ||
		len(p.User) != 2 || p.User[0].Value != "mine" || p.User[1] != (packets.User{Key: "k", Value: "v"}) {
		t.Errorf("got %v", m)
	}
	if r := connectortest.PublishWith(t, s, "t", 1, "b", &gateway.Properties{Expiry: 7200}); !r.Ok() {
		t.Fatal(r)
	}
	m = next(t, got, "b")
	if e := m.Properties.MessageExpiry; m.Retain || e == nil || *e > 3600 || *e < 3590 {
		t.Errorf("got %v", m)
	}
	awaitDrained(t, c, 1)
}

// storeNumbers stores n QoS 2 publishes before any queue sends them.
func storeNumbers(t *testing.T, c *deviceConnector, id string, n int, at time.Time) {
	t.Helper()
	if err := c.broker.SpoolOpened(t.Context()); err != nil {
		t.Fatal(err)
	}
	q := c.broker.spool.spool.Queue(id)
	defer q.Release()
	for i := range n {
		stored := make(chan error, 1)
		q.Append(spool.Record{Topic: "t", Payload: []byte{'0' + byte(i)}, QoS: 2, At: at},
			func(err error) { stored <- err })
		if err := <-stored; err != nil {
			t.Fatal(err)
		}
	}
}
