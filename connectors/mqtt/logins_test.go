package mqtt

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/runtime/gateway"
)

// quietBroker ends the connection that had a client id, as mosquitto 2.0.11 does: without a word, and before it answers the new one. It acknowledges no
// publish before acknowledge is called. It takes no client but device.
type quietBroker struct {
	*scripted
	published chan struct{}

	mu      sync.Mutex
	current *peer // of device; guarded by mu, as below
	taking  bool  // acknowledges
	refuse  byte  // of the next CONNECT, once
}

func newQuietBroker(t *testing.T) *quietBroker {
	t.Helper()
	b := &quietBroker{published: make(chan struct{}, 100)}
	b.scripted = newScripted(t, b.serve)
	return b
}

func (b *quietBroker) serve(p *peer) {
	cp := p.next()
	if cp == nil {
		return
	}
	id := cp.Content.(*packets.Connect).ClientID
	b.mu.Lock()
	refuse := b.refuse
	var old *peer
	switch {
	case id != "device":
		refuse = packets.ConnackNotAuthorized
	case refuse != 0:
		b.refuse = 0
	default:
		old, b.current = b.current, p
	}
	b.mu.Unlock()
	ack := packets.NewControlPacket(packets.CONNACK)
	ack.Content.(*packets.Connack).ReasonCode = refuse
	if old != nil {
		old.hangUp()
	}
	p.send(ack)
	for cp := p.next(); cp != nil; cp = p.next() {
		publish, ok := cp.Content.(*packets.Publish)
		if !ok {
			continue
		}
		b.mu.Lock()
		taking := b.taking
		b.mu.Unlock()
		if taking {
			p.puback(publish.PacketID, 0)
		}
		b.published <- struct{}{}
	}
}

// hangUp ends the connection without a word, and returns when the gateway knows.
func (p *peer) hangUp() {
	_ = p.Conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, p.Conn)
}

func (b *quietBroker) hangUp() {
	b.mu.Lock()
	p := b.current
	b.mu.Unlock()
	p.hangUp()
}

func (b *quietBroker) acknowledge() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taking = true
}

func (b *quietBroker) refuseNext(reason byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse = reason
}

// wantPublish waits until the stored message of the device is under way.
func (b *quietBroker) wantPublish(t *testing.T) {
	t.Helper()
	select {
	case <-b.published:
	case <-time.After(patience):
		t.Fatal("the message was not sent")
	}
}

// wantPublishUnlessConvicted returns false when the message is convicted instead.
func (b *quietBroker) wantPublishUnlessConvicted(t *testing.T, m *Metrics) bool {
	t.Helper()
	giveUp := time.After(patience)
	for {
		select {
		case <-b.published:
			return true
		case <-giveUp:
			t.Fatal("the message was neither sent nor convicted")
		case <-time.After(10 * time.Millisecond):
			if convictions(m) > 0 {
				return false
			}
		}
	}
}

// TestExplainedEndings ends the connection of a device again and again while its stored message is under way, for reasons that have nothing to do with
// the message: it is not convicted, whether it is a suspect already or not.
func TestExplainedEndings(t *testing.T) {
	const times = convictAt + 2
	ways := []struct {
		name string
		end  func(t *testing.T, b *quietBroker, c *Connector, s gateway.Session) gateway.Session
	}{
		{"closed on this side", func(_ *testing.T, _ *quietBroker, _ *Connector, s gateway.Session) gateway.Session {
			cut(s)
			return s
		}},
		{"new login", func(t *testing.T, _ *quietBroker, c *Connector, _ gateway.Session) gateway.Session {
			s, _ := connect(t, c, "device")
			return s
		}},
		{"login check", func(t *testing.T, _ *quietBroker, c *Connector, s gateway.Session) gateway.Session {
			device := gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "device"}}
			if _, err := c.Probe().Authenticate(context.Background(), device, ""); err != nil {
				t.Fatal(err)
			}
			return s
		}},
	}
	for _, way := range ways {
		for _, suspect := range []bool{false, true} {
			name := way.name
			if suspect {
				name += ", of a suspect"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := newQuietBroker(t)
				cfg := spooled(t, b.url())
				cfg.Metrics = NewMetrics(nil)
				c := newConnector(t, cfg)
				s, d := connect(t, c, "device")
				c.backlogOf("device") // stays in use, as by a message on its way to the disk
				publishNumbers(t, s, 0, 1)
				b.wantPublish(t)
				if suspect {
					for range suspectAt {
						b.hangUp()
						b.wantPublish(t)
					}
				}
				for range times {
					s = way.end(t, b, c, s)
					if !b.wantPublishUnlessConvicted(t, cfg.Metrics) {
						t.Fatal("the message is convicted")
					}
				}
				b.acknowledge()
				s = way.end(t, b, c, s)
				awaitDrained(t, c, 2)
				if way.name != "new login" && d.Losses() > 0 {
					t.Errorf("the device was lost: %v", d.Lost(t))
				}
				if n := convictions(cfg.Metrics); n > 0 {
					t.Errorf("%v convictions", n)
				}
			})
		}
	}
}

// TestRefusedLoginExplainsNothing refuses logins with the client id of a device while the broker ends its connections for what it sent.
func TestRefusedLoginExplainsNothing(t *testing.T) {
	b := newQuietBroker(t)
	cfg := spooled(t, b.url())
	cfg.Metrics = NewMetrics(nil)
	c := newConnector(t, cfg)
	s, _ := connect(t, c, "device")
	publishNumbers(t, s, 0, 1)
	b.wantPublish(t)
	for range convictAt {
		b.refuseNext(packets.ConnackBadUsernameOrPassword)
		device := gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "device"}}
		if _, err := c.Connect(context.Background(), device, "", connectortest.NewDevice()); err == nil {
			t.Fatal("the broker refused the login")
		}
		b.hangUp()
		if !b.wantPublishUnlessConvicted(t, cfg.Metrics) {
			break
		}
	}
	if n := testutil.ToFloat64(cfg.Metrics.convicted.WithLabelValues(publishing.String())); n != 1 {
		t.Errorf("%v convictions", n)
	}
}

// TestOtherGatewayConvictsNothing has the broker say again and again that another gateway has the client id: what is under way is tried by itself at
// most, and goes out.
func TestOtherGatewayConvictsNothing(t *testing.T) {
	e := ending{reason: packets.DisconnectSessionTakenOver}
	k := &call{}
	for range 2 * sentAgain {
		k.ends += e.against(k, time.Now())
	}
	if k.ends != suspectAt {
		t.Errorf("%d speaks against the call, want %d", k.ends, suspectAt)
	}
}
