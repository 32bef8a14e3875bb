package mqtt

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// strictBroker takes everything but what is about a topic that begins with "bad": then it ends the connection for its
// reason.
type strictBroker struct {
	*scripted
	reason byte // of DISCONNECT; 0: none, the connection just ends

	mu    sync.Mutex
	lax   bool           // it takes bad topics too; guarded by mu, as all below
	ended []time.Time    // connections that it ended
	taken map[string]int // publishes by topic
	from  map[string]int // the same by client id and topic, with a space between
	asked map[string]int // SUBSCRIBEs of filters that it took
}

func newStrictBroker(t *testing.T, reason byte) *strictBroker {
	t.Helper()
	b := &strictBroker{reason: reason, taken: map[string]int{}, from: map[string]int{}, asked: map[string]int{}}
	b.scripted = newScripted(t, b.serve)
	return b
}

func (b *strictBroker) serve(p *peer) {
	connect := p.accept(false)
	if connect == nil {
		return
	}
	for cp := p.next(); cp != nil; cp = p.next() {
		if !b.take(p, connect.ClientID, cp) {
			return
		}
	}
}

// take reports false for what the broker ends the connection for.
func (b *strictBroker) take(p *peer, id string, cp *packets.ControlPacket) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	var topics []string
	switch c := cp.Content.(type) {
	case *packets.Publish:
		topics = []string{c.Topic}
	case *packets.Subscribe:
		for _, o := range c.Subscriptions {
			topics = append(topics, o.Topic)
		}
	case *packets.Unsubscribe:
		topics = c.Topics
	}
	for _, topic := range topics {
		if strings.HasPrefix(topic, "bad") && !b.lax {
			b.ended = append(b.ended, time.Now())
			if b.reason != 0 {
				p.disconnect(b.reason)
			}
			return false
		}
	}
	switch c := cp.Content.(type) {
	case *packets.Publish:
		b.taken[c.Topic]++
		b.from[id+" "+c.Topic]++
		switch c.QoS {
		case 1:
			p.puback(c.PacketID, 0)
		case 2:
			p.send(&packets.Pubrec{Properties: &packets.Properties{}, PacketID: c.PacketID})
		}
	case *packets.Pubrel:
		p.send(&packets.Pubcomp{Properties: &packets.Properties{}, PacketID: c.PacketID})
	case *packets.Subscribe:
		for _, topic := range topics {
			b.asked[topic]++
		}
		p.suback(c.PacketID, make([]byte, len(topics))...)
	case *packets.Unsubscribe:
		p.send(&packets.Unsuback{
			Properties: &packets.Properties{}, PacketID: c.PacketID,
			Reasons: make([]byte, len(topics)),
		})
	}
	return true
}

func (b *strictBroker) set(lax bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lax = lax
}

// endings is how many connections the broker ended: most within any 30 units, and in all.
func (b *strictBroker) endings() (most, all int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for from, at := range b.ended {
		for to := from; to < len(b.ended) && b.ended[to].Sub(at) < 30*unit; to++ {
			most = max(most, to-from+1)
		}
	}
	return most, len(b.ended)
}

func (b *strictBroker) took(topic string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.taken[topic]
}

// unit stands for the second of Config.ReconnectDelay: figures of seconds are in units here.
const unit = 20 * time.Millisecond

// poisons are the calls for which the broker may end a connection. do returns the result, nil where there is none to
// wait for.
var poisons = []struct {
	name string
	do   func(t *testing.T, b *strictBroker, c gateway.Connector) *connectortest.Call
}{
	{"publish QoS 0", poisonPublish(0)},
	{"publish QoS 1", poisonPublish(1)},
	{"publish QoS 2", poisonPublish(2)},
	{"subscribe", func(t *testing.T, _ *strictBroker, c gateway.Connector) *connectortest.Call {
		call := connectortest.NewCall()
		loginTo(t, c, "evil", "l").Subscribe("bad", 1, call.Done)
		return call
	}},
	{"unsubscribe", func(t *testing.T, b *strictBroker, c gateway.Connector) *connectortest.Call {
		call := connectortest.NewCall()
		b.set(true)
		s := loginTo(t, c, "evil", "l")
		if r := connectortest.Subscribe(t, s, "bad", 1); !r.Ok() {
			t.Fatal(r)
		}
		b.set(false)
		s.Unsubscribe("bad", call.Done)
		return call
	}},
	{"raw publish", func(t *testing.T, _ *strictBroker, c gateway.Connector) *connectortest.Call {
		call := connectortest.NewCall()
		loginTo(t, c, "raw", "").Publish("bad", 1, []byte("x"), call.Done)
		return call
	}},
	{"login with status", func(t *testing.T, _ *strictBroker, c gateway.Connector) *connectortest.Call {
		loginTo(t, c, "bad", "l")
		return nil
	}},
	{"resubscribe", func(t *testing.T, b *strictBroker, c gateway.Connector) *connectortest.Call {
		b.set(true)
		s := loginTo(t, c, "evil", "l")
		for _, filter := range []string{"a", "bad", "c"} {
			if r := connectortest.Subscribe(t, s, filter, 1); !r.Ok() {
				t.Fatal(r)
			}
		}
		b.set(false)
		b.cut()
		return nil
	}},
}

func poisonPublish(qos byte) func(*testing.T, *strictBroker, gateway.Connector) *connectortest.Call {
	return func(t *testing.T, _ *strictBroker, c gateway.Connector) *connectortest.Call {
		call := connectortest.NewCall()
		loginTo(t, c, "evil", "l").Publish("bad", qos, []byte("x"), call.Done)
		return call
	}
}

// cut ends all connections.
func (b *scripted) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.peers {
		_ = p.Close()
	}
}

func loginTo(t *testing.T, c gateway.Connector, id, listener string) gateway.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	device := gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: id}, Listener: listener}
	s, err := c.Connect(ctx, device, "", connectortest.NewDevice())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func convictions(t testing.TB, m *Metrics) float64 {
	t.Helper()
	return countedIn(t, m, "calls_convicted_total")
}

// TestEveryEnding throws each reason of DISCONNECT, and an end without one, at each call, in both session modes. What
// bystanders publish at QoS 1 arrives, the bad call is refused or set aside, once, and the broker has few connections
// to end.
func TestEveryEnding(t *testing.T) {
	reasons := append([]reason{{name: "no reason"}}, everyReason...)
	for _, mode := range []string{"device", "shared", "device with spool", "shared with spool"} {
		for _, r := range reasons {
			for _, poison := range poisons {
				t.Run(fmt.Sprintf("%s/0x%02X/%s", mode, r.code, poison.name), func(t *testing.T) {
					t.Parallel()
					testEnding(t, mode, r.code, poison.do)
				})
			}
		}
	}
}

func testEnding(t *testing.T, mode string, reason byte, do func(*testing.T, *strictBroker,
	gateway.Connector) *connectortest.Call,
) {
	b := newStrictBroker(t, reason)
	var log gatewaytest.Log
	cfg := Config{
		URL: b.url(), ReconnectDelay: unit, Logger: log.Logger(), DeviceStatus: Status{
			Topic: "${clientid}/status",
			QoS:   1,
		},
		Metrics: NewMetrics(nil),
	}
	if strings.HasSuffix(mode, "spool") {
		cfg.Spool.Folder = t.TempDir() + "/spool"
	}
	var c gateway.Connector
	if strings.HasPrefix(mode, "shared") {
		c = newShared(t, cfg, SharedConfig{Connections: 1})
	} else {
		c = newConnector(t, cfg)
	}
	var others []gateway.Session
	for n := range 3 {
		others = append(others, loginTo(t, c, fmt.Sprintf("good-%d", n), "l"))
	}
	poison := strings.TrimPrefix(t.Name(), fmt.Sprintf("TestEveryEnding/%s/0x%02X/", strings.ReplaceAll(mode, " ", "_"),
		reason))
	call := do(t, b, c)
	published := 0
	publish := func() {
		for n, s := range others {
			if r := connectortest.Publish(t, s, fmt.Sprintf("good-%d", n), 1, "x"); !r.Ok() {
				t.Fatalf("a bystander: %v\n%s", r, log.String())
			}
		}
		published++
	}
	publish()
	stored := cfg.Spool.Folder != "" && (poison == "publish_QoS_1" || poison == "publish_QoS_2" ||
		poison == "raw_publish")
	if call != nil {
		if r := call.Result(t); r.Ok() != stored && poison != "publish_QoS_0" {
			t.Errorf("the bad call: %v", r)
		}
	}
	// it ends the device, not the call
	takenOver := reason == packets.DisconnectSessionTakenOver && strings.HasPrefix(mode, "device")
	publish()
	if poison != "publish_QoS_0" && !takenOver {
		// three ends without a reason may be another client's doing
		gatewaytest.Eventually(t, "the conviction", func() bool {
			return convictions(t, cfg.Metrics) > 0 || (strings.HasSuffix(poison, "subscribe") &&
				countedIn(t, cfg.Metrics, "losses_total", "three_losses") > 0)
		})
	}
	if stored && !takenOver {
		gatewaytest.Eventually(t, "the bad call to be set aside", func() bool {
			list, err := ListRefused(cfg.Spool.Folder)
			return err == nil && len(list) == 1 && list[0].Topic == "bad"
		})
	}
	publish()
	gatewaytest.Eventually(t, "what bystanders published", func() bool {
		for n := range others {
			if b.took(fmt.Sprintf("good-%d", n)) < published {
				return false
			}
		}
		return true
	})
	// the broker does not take the same filter again either
	if n := convictions(t, cfg.Metrics); n > 1 && poison != "unsubscribe" {
		t.Errorf("%v convictions", n)
	}
	if most, all := b.endings(); most > 6 || all > 8 {
		t.Errorf("the broker ended %d connections within 30 units, and %d in all\n%s", most, all, log.String())
	}
	if n := b.took("bad"); n > 0 {
		t.Errorf("the broker took %d", n)
	}
}
