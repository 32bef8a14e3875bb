package mqtt

import (
	"strconv"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// TestBrokerRestart restarts a real broker: subscriptions are restored, QoS 1 and 2 publishes made meanwhile arrive in
// order, QoS 0 is refused and counted.
func TestBrokerRestart(t *testing.T) {
	for _, durable := range []bool{false, true} {
		t.Run("durable "+strconv.FormatBool(durable), func(t *testing.T) {
			b := mosquitto.Start(t, mosquitto.Options{})
			cfg := clienttest.Quick(b.URL())
			if durable {
				cfg.SessionExpiry = time.Minute
			}
			c := newConnector(t, cfg)
			s, d := brokertest.Connect(t, c, "device")
			for _, filter := range []string{"t/#", "other"} {
				if r := connectortest.Subscribe(t, s, filter, 2); !r.Ok() {
					t.Fatal(r)
				}
			}
			b.Kill()
			gatewaytest.Eventually(t, "the loss to be noticed",
				func() bool { return clienttest.Counted(t, c.broker, "losses_total", "network") == 1 })

			if r := connectortest.Publish(t, s, "t/zero", 0, "x"); r.Code != gateway.CodeUnknown ||
				clienttest.Counted(t, c.broker, "dropped_total", "upstream_down") != 1 {
				t.Fatalf("publishing QoS 0 while the broker is down: %v", r)
			}
			waiting := publishWindow(s, 20)
			b.Restart(t)
			for i := range 20 {
				if r := waiting[i].Result(t); !r.Ok() {
					t.Fatalf("publish %d: %v", i, r)
				}
				if m := d.Next(t); string(m.Payload) != strconv.Itoa(i) {
					t.Fatalf("got %s, want %d", m.Payload, i)
				}
			}
			if r := connectortest.Publish(t, s, "other", 0, "back"); !r.Ok() {
				t.Fatal(r)
			}
			if m := d.Next(t); m.Topic != "other" || d.Losses() != 0 {
				t.Fatalf("got %q, %d losses", m.Topic, d.Losses())
			}
		})
	}
}

func publishWindow(s gateway.Session, n int) []*connectortest.Call {
	calls := make([]*connectortest.Call, n)
	for i := range n {
		calls[i] = connectortest.NewCall()
		s.Publish("t/"+strconv.Itoa(i), byte(1+i%2), []byte(strconv.Itoa(i)), nil, calls[i].Done)
	}
	return calls
}

// TestRestartUnderLoad restarts the broker during publishes and subscribes: every call succeeds, first arrivals are in
// order, and nothing is missing.
func TestRestartUnderLoad(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	cfg := clienttest.Quick(b.URL())
	cfg.SessionExpiry = time.Minute
	c := newConnector(t, cfg)
	from, _ := brokertest.Connect(t, c, "from")
	to, d := brokertest.Connect(t, c, "to")
	if r := connectortest.Subscribe(t, to, "t", 1); !r.Ok() {
		t.Fatal(r)
	}
	const n = 3000
	window := make(chan struct{}, 16)
	for i := range n {
		window <- struct{}{}
		from.Publish("t", 1, []byte(strconv.Itoa(i)), nil, func(r gateway.Result) {
			if !r.Ok() {
				t.Errorf("publish %d: %v", i, r)
			}
			<-window
		})
		if i == n/2 {
			b.Stop(t)
			b.Restart(t)
		}
		if i%500 == 0 {
			if r := connectortest.Subscribe(t, from, "s/"+strconv.Itoa(i), 0); !r.Ok() {
				t.Error(r)
			}
		}
	}
	for range cap(window) {
		window <- struct{}{}
	}
	next := 0
	for next < n {
		i, err := strconv.Atoi(string(d.Next(t).Payload))
		switch {
		case err != nil || i > next:
			t.Fatalf("got %d, want %d: something is missing", i, next)
		case i == next:
			next++
		}
	}
}

// TestAccessAtRunTime changes a user's permissions at the broker while it is connected.
func TestAccessAtRunTime(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"u": "p"}, Dynamic: true})
	c := newConnector(t, clienttest.Quick(b.URL()))
	d := connectortest.NewDevice()
	s, err := c.Connect(t.Context(), gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "device", Username: "u"}},
		"p", d)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if r := connectortest.Subscribe(t, s, "t", 1); !r.Ok() {
		t.Fatal(r)
	}
	b.Deny(t, "u", mosquitto.Subscribe, "t")
	if r := connectortest.Subscribe(t, s, "t", 1); r.Code != gateway.CodePermissionDeny {
		t.Fatal(r)
	}
	b.Allow(t, "u", mosquitto.Subscribe, "t")
	if r := connectortest.Subscribe(t, s, "t", 1); !r.Ok() {
		t.Fatal(r)
	}
	b.Deny(t, "u", mosquitto.Publish, "t")
	if r := connectortest.Publish(t, s, "t", 1, "x"); r.Code != gateway.CodePermissionDeny {
		t.Fatal(r)
	}
}
