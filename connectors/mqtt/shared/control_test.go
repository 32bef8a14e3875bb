package shared

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// newGateway returns a connector of a gateway with a name.
func newGateway(t testing.TB, url, node string) *Connector {
	t.Helper()
	cfg := clienttest.Quick(url)
	cfg.Node, cfg.Logger = node, slog.New(slog.DiscardHandler)
	s := newConnector(t, cfg, Config{Connections: 1})
	s.broker.SetLongestDelay(time.Second) // even if a test keeps the broker down for long
	return s
}

func newEpoch(s *Connector, ahead time.Duration) {
	s.control.observe(uint64(time.Now().Add(ahead).UnixMicro()))
}

// hears waits until a gateway has learned of a login at another gateway.
func hears(t testing.TB, s *Connector, epoch uint64) {
	t.Helper()
	gatewaytest.Eventually(t, "the other gateway to hear of the login", func() bool {
		s.control.mu.Lock()
		defer s.control.mu.Unlock()
		return s.control.epoch >= epoch
	})
}

// TestTakeover logs a device in at one gateway after the other.
func TestTakeover(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	x, y := newGateway(t, b.URL(), "x"), newGateway(t, b.URL(), "y")
	other := brokertest.LogIn(t, y, "other")
	last := brokertest.LogIn(t, x, "device")
	for i := range 10 {
		next := brokertest.LogIn(t, []*Connector{y, x}[i%2], "device")
		brokertest.WantDiscarded(t, last)
		last = next
	}
	if n := last.Losses() + other.Losses(); n > 0 {
		t.Fatalf("%d losses of devices without a takeover", n)
	}
}

// TestTakeoverClocks sets the clock of one gateway far ahead: a gateway that has learned of a login there must win with
// a later one.
func TestTakeoverClocks(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	x, y := newGateway(t, b.URL(), "x"), newGateway(t, b.URL(), "y")
	newEpoch(x, farFuture-time.Minute)
	brokertest.LogIn(t, y, "unrelated")
	ahead := brokertest.LogIn(t, x, "device")
	hears(t, y, x.session("device").epoch)
	later := brokertest.LogIn(t, y, "device")
	brokertest.WantDiscarded(t, ahead)
	hears(t, x, y.session("device").epoch)
	last := brokertest.LogIn(t, x, "device")
	brokertest.WantDiscarded(t, later)
	if last.Losses() > 0 {
		t.Fatal(last.Lost(t))
	}
}

// TestTakeoverAtOnce logs a device in at two gateways at the same time, many times: one session must remain.
func TestTakeoverAtOnce(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	gateways := []*Connector{newGateway(t, b.URL(), "x"), newGateway(t, b.URL(), "y")}
	for i := range 20 {
		id := fmt.Sprint("device-", i)
		members := make(chan *brokertest.Member, 2)
		for _, s := range gateways {
			go func() { members <- brokertest.LogIn(t, s, id) }()
		}
		one, other := <-members, <-members
		gatewaytest.Eventually(t, "one login left", func() bool { return one.Losses()+other.Losses() == 1 })
		left := 0
		for _, s := range gateways {
			if s.session(id) != nil {
				left++
			}
		}
		if left != 1 {
			t.Fatalf("%d sessions of %s are left", left, id)
		}
	}
}

// TestMissedClaims loses the gateways' claims while the broker is down; they must be repeated.
func TestMissedClaims(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	x, y := newGateway(t, b.URL(), "x"), newGateway(t, b.URL(), "y")
	early, late := brokertest.LogIn(t, x, "device"), brokertest.LogIn(t, y, "unrelated")
	b.Stop()
	for _, s := range []*Connector{x, y} {
		clienttest.AwaitDown(t, s.broker.GatewayClient())
	}
	newEpoch(y, time.Minute)
	again := brokertest.LogIn(t, y, "device")
	b.Start(true)
	brokertest.WantDiscarded(t, early)
	if n := again.Losses() + late.Losses(); n > 0 {
		t.Fatalf("%d losses", n)
	}
}

// TestControlRefused expects the gateway to work, and to log an error, if the broker refuses its subscription to the
// claims.
func TestControlRefused(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	b.Refused["exgate/control/claims"] = packets.SubackNotauthorized
	var log gatewaytest.Log
	cfg := clienttest.Quick(b.URL())
	cfg.Logger = log.Logger()
	s := newConnector(t, cfg, Config{})
	m := brokertest.LogIn(t, s, "device")
	m.MustSubscribe(t, "t", 1)
	brokertest.Publish(t, m, "t", 1, "x")
	m.Wants(t, "x")
	gatewaytest.Eventually(t, "the refusal logged", func() bool {
		return strings.Contains(log.String(),
			"upstream.control_topic")
	})
}

// The gateway's account may use the control topic, but its devices may not: a device could take over any client id, or
// learn all of them.
func TestDevicesAndTheControlTopic(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	s := newConnector(t, client.Config{URL: b.URL(), ControlTopic: "a/b"}, Config{})
	hostile, d := brokertest.Connect(t, s, "hostile")
	for _, topic := range []string{"a/b", "a/b/claims"} {
		if r := connectortest.Publish(t, hostile, topic, 1,
			`{"node":"x","claims":[{"id":"victim","epoch":1}]}`); r.Code != gateway.CodePermissionDeny {
			t.Errorf("publishing to %s: %v", topic, r)
		}
		if r := connectortest.Subscribe(t, hostile, topic, 0); r.Code != gateway.CodePermissionDeny {
			t.Errorf("subscribing to %s: %v", topic, r)
		}
	}
	for _, filter := range []string{"#", "a/+/claims", "a/bc"} {
		if r := connectortest.Subscribe(t, hostile, filter, 0); !r.Ok() {
			t.Errorf("subscribing to %s: %v", filter, r)
		}
	}
	brokertest.Connect(t, s, "victim") // claims the login on the control topic
	if r := connectortest.Publish(t, hostile, "a/bc", 1, "fence"); !r.Ok() {
		t.Fatal(r)
	}
	if m := d.Next(t); m.Topic != "a/bc" {
		t.Fatalf("a device got %s", m.Topic)
	}
}

// TestBadClaims expects invalid claims, and the gateway's own, to be ignored, and invalid ones to be counted.
func TestBadClaims(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	s := newGateway(t, b.URL(), "x")
	m := brokertest.LogIn(t, s, "device")
	ahead := uint64(time.Now().Add(farFuture + time.Hour).UnixMicro())
	for name, c := range map[string]struct {
		payload string
		bad     float64
	}{
		"far future":  {claimsOf("y", claim{"device", ahead}), 1},
		"largest":     {claimsOf("y", claim{"device", 1<<64 - 1}), 1},
		"no JSON":     {"\x00device", 1},
		"empty":       {"", 1},
		"other types": {`{"node":1,"claims":"device"}`, 1},
		"too long":    {claimsOf("y", claim{"device", s.session("device").epoch + 1}) + strings.Repeat(" ", 1<<20), 1},
		"its own":     {claimsOf("x", claim{"device", s.session("device").epoch + 1}), 0},
		"nothing":     {`{}`, 0},
	} {
		before := clienttest.Counted(t, s.broker, "dropped_total", "bad_claim")
		b.Publish("exgate/control/claims", c.payload, 1)
		b.Flush(t, 2)
		if got := clienttest.Counted(t, s.broker, "dropped_total", "bad_claim") - before; got != c.bad ||
			m.Losses() > 0 {
			t.Errorf("%s: %v are counted, want %v; %d losses", name, got, c.bad, m.Losses())
		}
	}
	b.Publish("exgate/control/claims", claimsOf("y", claim{"device", s.session("device").epoch + 1}), 1)
	brokertest.WantDiscarded(t, m)
}

func claimsOf(node string, claims ...claim) string {
	text, _ := json.Marshal(announcement{node, claims})
	return string(text)
}

// TestLongClaims claims logins with the longest client ids, in messages that the other gateway accepts.
func TestLongClaims(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	x, y := newGateway(t, b.URL(), "x"), newGateway(t, b.URL(), "y")
	brokertest.LogIn(t, y, "unrelated")
	first := brokertest.LogIn(t, x, "first")
	b.Stop()
	clienttest.AwaitDown(t, x.broker.GatewayClient())
	clienttest.AwaitDown(t, y.broker.GatewayClient())
	var early []*brokertest.Member
	for i := range 20 {
		early = append(early, brokertest.LogIn(t, y, fmt.Sprint(i, strings.Repeat("<", 60<<10))))
	}
	hears(t, y, x.session("first").epoch)
	newEpoch(x, time.Minute)
	for _, m := range early {
		brokertest.LogIn(t, x, m.ID)
	}
	b.Start(true)
	for _, m := range early {
		brokertest.WantDiscarded(t, m)
	}
	if first.Losses() > 0 {
		t.Fatal(first.Lost(t))
	}
}

// TestLateClaim expects an earlier login of a device not to replace the pending claim of a later one.
func TestLateClaim(t *testing.T) {
	c := &control{pending: map[string]uint64{}, sending: true}
	c.claim("device", 2)
	c.claim("device", 1)
	if epoch := c.pending["device"]; epoch != 2 {
		t.Fatalf("the claim has epoch %d", epoch)
	}
}

// TestClaimsOfTheGone expects no claims of logins that ended while the broker was down.
func TestClaimsOfTheGone(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	s := newGateway(t, b.URL(), "x")
	brokertest.LogIn(t, s, "first")
	b.Stop()
	clienttest.AwaitDown(t, s.broker.GatewayClient())
	for i := range 1000 {
		brokertest.LogIn(t, s, fmt.Sprint("device-", i)).Close()
	}
	stays := brokertest.LogIn(t, s, "stays")
	s.control.mu.Lock()
	defer s.control.mu.Unlock()
	if n := len(s.control.pending); n > 1 {
		t.Fatalf("%d pending claims, besides that of %s", n, stays.ID)
	}
}

// FuzzClaims checks that no payload of a control message panics or advances the epoch beyond farFuture.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{
		"", "{}", claimsOf("y", claim{"device", 1}), claimsOf("y", claim{"device", 1 << 63}),
		`{"node":"y","claims":[{"id":"\ud800","epoch":-1}]}`,
		`{"node":"x","claims":[{"id":"device","epoch":18446744073709551615}]}`, strings.Repeat("[", 20000),
	} {
		f.Add([]byte(seed))
	}
	b, err := client.Open(client.Config{URL: "mqtt://127.0.0.1:1", ControlTopic: "c"})
	if err != nil {
		f.Fatal(err)
	}
	if err := b.Leave(context.Background()); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		s := &Connector{broker: b}
		s.control = newControl(s)
		s.control.Message(&paho.Publish{Topic: s.control.claims, Payload: payload})
		if limit := uint64(time.Now().Add(farFuture).UnixMicro()); s.control.epoch > limit {
			t.Fatalf("the epoch is %d, above %d", s.control.epoch, limit)
		}
	})
}

// comebacks is how often a device logs in again.
const comebacks = 5

// comeback is a device that logs in again as soon as its session is lost.
type comeback struct {
	t       *testing.T
	gateway *Connector
	kicked  atomic.Int32
	pending *sync.WaitGroup
}

func (r *comeback) Deliver(gateway.Message) bool { return true }

func (r *comeback) SessionLost(reason gateway.CloseReason) {
	if reason.Is(gateway.ReasonDiscarded) && r.kicked.Add(1) <= comebacks {
		r.logIn()
	}
}

func (r *comeback) logIn() {
	r.pending.Go(func() {
		if _, err := brokertest.TryLogIn(r.gateway, "device", r); err != nil {
			r.t.Error(err)
		}
	})
}

// TestSharedRivals connects two devices with one client id at two gateways. Both log in again whenever their session is
// lost; this must end.
func TestSharedRivals(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	var pending sync.WaitGroup
	var rivals []*comeback
	for _, node := range []string{"x", "y"} {
		r := &comeback{t: t, gateway: newGateway(t, b.URL(), node), pending: &pending}
		brokertest.LogIn(t, r.gateway, "unrelated-"+node)
		rivals = append(rivals, r)
	}
	for _, r := range rivals {
		r.logIn()
	}
	gatewaytest.Eventually(t, "one of the two to give up", func() bool {
		return max(rivals[0].kicked.Load(), rivals[1].kicked.Load()) > comebacks
	})
	pending.Wait()
	for i, r := range rivals {
		loser := r.kicked.Load() > comebacks
		if left := r.gateway.session("device"); (left == nil) != loser {
			t.Errorf("gateway %d: kicked %d times, the session that is left is %v", i, r.kicked.Load(), left)
		}
	}
}
