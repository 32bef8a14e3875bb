package client

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// quietBroker ends the older connection of a client id as mosquitto 2.0.11 does: without DISCONNECT, and before it
// answers the new one. It acknowledges no publish before acknowledge is called. It accepts only the client id "device".
type quietBroker struct {
	*brokertest.Scripted
	published chan struct{}

	mu      sync.Mutex
	current *brokertest.Peer // connection of "device"; guarded by mu, like the fields below
	taking  bool             // acknowledge publishes
	refuse  byte             // reason code for the next CONNECT
}

func newQuietBroker(t *testing.T) *quietBroker {
	t.Helper()
	b := &quietBroker{published: make(chan struct{}, 100)}
	b.Scripted = brokertest.NewScripted(t, b.serve)
	return b
}

func (b *quietBroker) serve(p *brokertest.Peer) {
	cp := p.Next()
	if cp == nil {
		return
	}
	id := cp.Content.(*packets.Connect).ClientID
	b.mu.Lock()
	refuse := b.refuse
	var old *brokertest.Peer
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
		old.HangUp()
	}
	p.Send(ack)
	for cp := p.Next(); cp != nil; cp = p.Next() {
		publish, ok := cp.Content.(*packets.Publish)
		if !ok {
			continue
		}
		b.mu.Lock()
		taking := b.taking
		b.mu.Unlock()
		if taking {
			p.Puback(publish.PacketID, 0)
		}
		b.published <- struct{}{}
	}
}

func (b *quietBroker) hangUp() {
	b.mu.Lock()
	p := b.current
	b.mu.Unlock()
	p.HangUp()
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

// wantPublish waits until the stored message of the device is in flight.
func (b *quietBroker) wantPublish(t *testing.T) {
	t.Helper()
	select {
	case <-b.published:
	case <-time.After(brokertest.Patience):
		t.Fatal("the message was not sent")
	}
}

// wantPublishUnlessConvicted returns false if the message is convicted instead.
func (b *quietBroker) wantPublishUnlessConvicted(t *testing.T, m *Metrics) bool {
	t.Helper()
	giveUp := time.After(brokertest.Patience)
	for {
		select {
		case <-b.published:
			return true
		case <-giveUp:
			t.Fatal("the message was neither sent nor convicted")
		case <-time.After(10 * time.Millisecond):
			if Convictions(t, m) > 0 {
				return false
			}
		}
	}
}

// TestExplainedEndings repeatedly ends a device's connection while its stored message is in flight, for reasons
// unrelated to the message. The message must not be convicted, whether it is already a suspect or not.
func TestExplainedEndings(t *testing.T) {
	const times = convictAt + 2
	ways := []struct {
		name string
		end  func(t *testing.T, b *quietBroker, c *deviceConnector, s gateway.Session) gateway.Session
	}{
		{"closed on this side", func(_ *testing.T, _ *quietBroker, _ *deviceConnector,
			s gateway.Session,
		) gateway.Session {
			CutClient(s.(*deviceSession).client)
			return s
		}},
		{"new login", func(t *testing.T, _ *quietBroker, c *deviceConnector, _ gateway.Session) gateway.Session {
			s, _ := brokertest.Connect(t, c, "device")
			return s
		}},
		{"login check", func(t *testing.T, _ *quietBroker, c *deviceConnector, s gateway.Session) gateway.Session {
			device := gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "device"}}
			if err := c.broker.TryLogin(context.Background(), device, ""); err != nil {
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
				cfg := Spooled(t, b.URL())
				cfg.Metrics = NewMetrics(nil)
				c := newDevices(t, cfg)
				s, d := brokertest.Connect(t, c, "device")
				c.broker.backlogOf("device") // a user, as if a message were being written to disk
				brokertest.PublishNumbers(t, s, 0, 1)
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
				way.end(t, b, c, s)
				awaitDrained(t, c, 2)
				if way.name != "new login" && d.Losses() > 0 {
					t.Errorf("the device was lost: %v", d.Lost(t))
				}
				if n := Convictions(t, cfg.Metrics); n > 0 {
					t.Errorf("%v convictions", n)
				}
			})
		}
	}
}

// TestRefusedLoginExplainsNothing refuses logins with the client id of a device while the broker ends its connections
// because of a message.
func TestRefusedLoginExplainsNothing(t *testing.T) {
	b := newQuietBroker(t)
	cfg := Spooled(t, b.URL())
	cfg.Metrics = NewMetrics(nil)
	c := newDevices(t, cfg)
	s, _ := brokertest.Connect(t, c, "device")
	brokertest.PublishNumbers(t, s, 0, 1)
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

// forgetfulBroker ends the first connection at PUBREL and forgets the session, as a restarted mosquitto does. It
// answers a PUBREL for any id, as mosquitto does.
type forgetfulBroker struct {
	*brokertest.Scripted
	lose     chan struct{}       // closed: end the first connection
	connects chan waitingConnect // after the first connection
	got      chan byte           // packet types after the first connection
	end      chan struct{}       // closed when the test ends
}

type waitingConnect struct {
	*packets.Connect
	answer chan<- bool // whether the session is present
}

func newForgetfulBroker(t *testing.T) *forgetfulBroker {
	t.Helper()
	b := &forgetfulBroker{
		lose: make(chan struct{}), connects: make(chan waitingConnect, 10), got: make(chan byte, 100),
		end: make(chan struct{}),
	}
	b.Scripted = brokertest.NewScripted(t, b.serve)
	t.Cleanup(func() { close(b.end) })
	return b
}

func (b *forgetfulBroker) serve(p *brokertest.Peer) {
	cp := p.Next()
	if cp == nil {
		return
	}
	c := cp.Content.(*packets.Connect)
	ack := packets.NewControlPacket(packets.CONNACK)
	switch {
	case c.ClientID != "device":
		ack.Content.(*packets.Connack).ReasonCode = packets.ConnackNotAuthorized
	case p.Number > 0:
		answer := make(chan bool)
		b.connects <- waitingConnect{c, answer}
		select {
		case ack.Content.(*packets.Connack).SessionPresent = <-answer:
		case <-b.end:
			return
		}
	}
	p.Send(ack)
	for cp := p.Next(); cp != nil; cp = p.Next() {
		if p.Number > 0 {
			b.got <- cp.Type
		}
		switch c := cp.Content.(type) {
		case *packets.Publish:
			p.Send(&packets.Pubrec{Properties: &packets.Properties{}, PacketID: c.PacketID})
		case *packets.Pubrel:
			if p.Number == 0 {
				<-b.lose
				return
			}
			p.Send(&packets.Pubcomp{Properties: &packets.Properties{}, PacketID: c.PacketID})
		}
	}
}

func (b *forgetfulBroker) wantConnect(t *testing.T, clean bool) (answer chan<- bool) {
	t.Helper()
	select {
	case c := <-b.connects:
		if c.CleanStart != clean {
			t.Errorf("CONNECT has Clean Start %v, want %v", c.CleanStart, clean)
		}
		return c.answer
	case <-time.After(brokertest.Patience):
		t.Fatal("no CONNECT")
		return nil
	}
}

// TestSessionOfAnotherLogin logs a device in again while its older session, which had sent PUBREL for a QoS 2 message,
// reconnects. The broker's session then belongs to the new login and does not have that message, but the broker would
// answer PUBREL nevertheless.
func TestSessionOfAnotherLogin(t *testing.T) {
	begin := func(t *testing.T) (b *forgetfulBroker, old *deviceSession, login func() <-chan error) {
		b = newForgetfulBroker(t)
		c := newDevices(t, Spooled(t, b.URL()))
		s, _ := brokertest.Connect(t, c, "device")
		call := connectortest.NewCall()
		s.Publish("t", 2, []byte("x"), nil, call.Done)
		if r := call.Result(t); !r.Ok() {
			t.Fatal(r)
		}
		return b, s.(*deviceSession), func() <-chan error {
			came := make(chan error, 1)
			go func() {
				device := gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "device"}}
				_, err := c.Connect(context.Background(), device, "", connectortest.NewDevice())
				came <- err
			}()
			return came
		}
	}
	wantPublished := func(t *testing.T, b *forgetfulBroker, answer chan<- bool, came <-chan error) {
		t.Helper()
		answer <- false
		if err := <-came; err != nil {
			t.Fatal(err)
		}
		for {
			select {
			case packet := <-b.got:
				if packet == packets.PUBLISH {
					return
				}
			case <-time.After(brokertest.Patience):
				t.Fatal("the message is not sent")
			}
		}
	}
	t.Run("the old session waits", func(t *testing.T) {
		b, old, login := begin(t)
		came := login()
		answer := b.wantConnect(t, true)
		close(b.lose)
		gatewaytest.Eventually(t, "the old session to look twice", func() bool {
			if len(b.connects) > 0 {
				t.Fatal("the old session connects meanwhile")
			}
			old.client.mu.Lock()
			defer old.client.mu.Unlock()
			return old.client.attempt > 2
		})
		wantPublished(t, b, answer, came)
	})
	t.Run("the old session is connected to another one", func(t *testing.T) {
		b, _, login := begin(t)
		close(b.lose)
		old := b.wantConnect(t, false)
		came := login()
		answer := b.wantConnect(t, true)
		old <- true
		if packet := <-b.got; packet == packets.PUBREL {
			t.Error("the old session goes on with the session of the new login")
		}
		wantPublished(t, b, answer, came)
	})
}

// TestOtherGatewayConvictsNothing has the broker report again and again that another gateway took over the client id:
// the calls in flight may be tried alone, but must be sent in the end.
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
