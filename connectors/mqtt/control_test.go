package mqtt

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// newGateway is a connector of a gateway with a name.
func newGateway(t testing.TB, url, node string) *Shared {
	t.Helper()
	cfg := quick(url)
	cfg.Node, cfg.Logger = node, slog.New(slog.DiscardHandler)
	return newShared(t, cfg, SharedConfig{Connections: 1})
}

func newEpoch(s *Shared, ahead time.Duration) {
	s.control.observe(uint64(time.Now().Add(ahead).UnixMicro()))
}

// hears waits until a gateway has heard of a login elsewhere.
func hears(t testing.TB, s *Shared, epoch uint64) {
	t.Helper()
	gatewaytest.Eventually(t, "the other gateway to hear of the login", func() bool {
		s.control.mu.Lock()
		defer s.control.mu.Unlock()
		return s.control.epoch >= epoch
	})
}

func wantDiscarded(t testing.TB, m *member) {
	t.Helper()
	if r := m.Lost(t); !r.Is(gateway.ReasonDiscarded) {
		t.Fatalf("%s: %v", m.id, r)
	}
}

// TestTakeover has a device log in at one gateway after the other.
func TestTakeover(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	x, y := newGateway(t, b.URL(), "x"), newGateway(t, b.URL(), "y")
	other := logIn(t, y, "other")
	last := logIn(t, x, "device")
	for i := range 10 {
		next := logIn(t, []*Shared{y, x}[i%2], "device")
		wantDiscarded(t, last)
		last = next
	}
	if n := last.Losses() + other.Losses(); n > 0 {
		t.Fatalf("%d losses of devices that nobody took over", n)
	}
}

// TestTakeoverClocks has the clock of one gateway far ahead: whoever has heard of a login there wins with a later one.
func TestTakeoverClocks(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	x, y := newGateway(t, b.URL(), "x"), newGateway(t, b.URL(), "y")
	newEpoch(x, farFuture-time.Minute)
	logIn(t, y, "unrelated")
	ahead := logIn(t, x, "device")
	hears(t, y, x.session("device").epoch)
	later := logIn(t, y, "device")
	wantDiscarded(t, ahead)
	hears(t, x, y.session("device").epoch)
	last := logIn(t, x, "device")
	wantDiscarded(t, later)
	if last.Losses() > 0 {
		t.Fatal(last.Lost(t))
	}
}

// TestTakeoverAtOnce has a device log in at two gateways at the same moment, many times: one login is left.
func TestTakeoverAtOnce(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	gateways := []*Shared{newGateway(t, b.URL(), "x"), newGateway(t, b.URL(), "y")}
	for i := range 20 {
		id := fmt.Sprint("device-", i)
		members := make(chan *member, 2)
		for _, s := range gateways {
			go func() { members <- logIn(t, s, id) }()
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

// TestMissedClaims loses what gateways say while the broker, which keeps nothing, is away: they say it again.
func TestMissedClaims(t *testing.T) {
	b := newMemoryBroker(t)
	x, y := newGateway(t, b.url(), "x"), newGateway(t, b.url(), "y")
	early, late := logIn(t, x, "device"), logIn(t, y, "unrelated")
	b.stop()
	for _, s := range []*Shared{x, y} {
		awaitDown(t, s.broker.houseClient())
	}
	newEpoch(y, time.Minute)
	again := logIn(t, y, "device")
	b.start(true)
	wantDiscarded(t, early)
	if n := again.Losses() + late.Losses(); n > 0 {
		t.Fatalf("%d losses", n)
	}
}

// TestControlRefused goes on without other gateways where the broker does not let this one hear them, and says so.
func TestControlRefused(t *testing.T) {
	b := newMemoryBroker(t)
	b.refused["exgate/control/claims"] = packets.SubackNotauthorized
	var log gatewaytest.Log
	cfg := quick(b.url())
	cfg.Logger = log.Logger()
	s := newShared(t, cfg, SharedConfig{})
	m := logIn(t, s, "device")
	m.subscribe(t, "t", 1)
	publish(t, m, "t", 1, "x")
	m.wants(t, "x")
	gatewaytest.Eventually(t, "the refusal logged", func() bool { return strings.Contains(log.String(), "upstream.control_topic") })
}
