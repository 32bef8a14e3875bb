package mqtt

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// strictBroker accepts everything except topics that begin with "bad": for those, it ends the connection.
type strictBroker struct {
	*scripted
	reason byte // of DISCONNECT; 0: none, the connection just ends

	mu    sync.Mutex
	lax   bool           // accept bad topics too; guarded by mu, like all fields below
	ended []time.Time    // times of the connections that it ended
	taken map[string]int // publishes by topic
	from  map[string]int // publishes by client id and topic, joined by a space
	asked map[string]int // accepted SUBSCRIBEs by filter
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

// take returns false if the broker ends the connection for the packet.
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

// endings returns the number of connections that the broker ended: at most within any 30 units, and in total.
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

// unit replaces the second of Config.ReconnectDelay, so that the tests are fast.
const unit = 20 * time.Millisecond

// poisons are calls for which the broker may end a connection. do returns the call, or nil if it has no result.
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

func convictions(m *Metrics) (n float64) {
	for _, what := range []callKind{publishing, subscribing, unsubscribing} {
		n += testutil.ToFloat64(m.convicted.WithLabelValues(what.String()))
	}
	return n
}

// TestEveryEnding ends connections with each DISCONNECT reason, and without one, for each kind of call in both session
// modes. QoS 1 publishes of other devices must arrive, the bad call must be refused or set aside once, and the broker
// must have ended few connections.
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
	// The device ends, not the call.
	takenOver := reason == packets.DisconnectSessionTakenOver && strings.HasPrefix(mode, "device")
	publish()
	if poison != "publish_QoS_0" && !takenOver {
		// Three ends without a reason may also look like a rival client.
		closed := cfg.Metrics.losses.WithLabelValues(lossRepeated)
		gatewaytest.Eventually(t, "the conviction", func() bool {
			return convictions(cfg.Metrics) > 0 || (strings.HasSuffix(poison, "subscribe") &&
				testutil.ToFloat64(closed) > 0)
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
	// The broker also refuses the same filter when resubscribing.
	if n := convictions(cfg.Metrics); n > 1 && poison != "unsubscribe" {
		t.Errorf("%v convictions", n)
	}
	if most, all := b.endings(); most > 6 || all > 8 {
		t.Errorf("the broker ended %d connections within 30 units, and %d in all\n%s", most, all, log.String())
	}
	if n := b.took("bad"); n > 0 {
		t.Errorf("the broker took %d", n)
	}
}
