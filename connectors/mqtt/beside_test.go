package mqtt

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/connectors/mqtt/shared"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// Tests of shared sessions alongside device sessions.

// Neither kind of session reaches the states of devices, nor gets them through a wildcard.
func TestDevicesAndTheTopicOfStates(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	mosquitto.Retain(t, b.Addr(), "", "", "fleet/state/m/dev", "secret")
	cfg := client.Config{URL: b.URL(), StateTopic: "fleet/state"}
	for name, connector := range map[string]gateway.Connector{
		"device": newConnector(t, cfg), "shared": newShared(t, cfg, shared.Config{}),
	} {
		s, d := brokertest.Connect(t, connector, name)
		for _, topic := range []string{"fleet/state", "fleet/state/m/dev"} {
			if r := connectortest.Publish(t, s, topic, 1, "forged"); r.Code != gateway.CodePermissionDeny {
				t.Errorf("%s: publishing to %s: %v", name, topic, r)
			}
			if r := connectortest.Subscribe(t, s, topic, 0); r.Code != gateway.CodePermissionDeny {
				t.Errorf("%s: subscribing to %s: %v", name, topic, r)
			}
		}
		for _, filter := range []string{"fleet/#", "fleet/states"} {
			if r := connectortest.Subscribe(t, s, filter, 0); !r.Ok() {
				t.Errorf("%s: subscribing to %s: %v", name, filter, r)
			}
		}
		if r := connectortest.Publish(t, s, "fleet/states", 1, "fence"); !r.Ok() {
			t.Fatal(r)
		}
		if m := d.Next(t); m.Topic != "fleet/states" {
			t.Errorf("%s: a device got %s", name, m.Topic)
		}
	}
}

// Devices with their own sessions, and the gateway's RawPublish, which has one, must not use the control topic either:
// they reach the same broker.
func TestOwnSessionsAndTheControlTopic(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	s := newShared(t, client.Config{URL: b.URL()}, shared.Config{})
	_, victim := brokertest.Connect(t, s, "victim")
	for _, cfg := range []client.Config{
		{URL: b.URL(), Node: "plain"},
		{URL: b.URL(), Node: "spooled", Spool: client.SpoolConfig{Folder: t.TempDir()}},
	} {
		hostile, d := brokertest.Connect(t, newConnector(t, cfg), "hostile")
		forged := fmt.Sprintf(`{"node":"z","claims":[{"id":"victim","epoch":%d}]}`,
			time.Now().Add(time.Minute).UnixMicro())
		for _, topic := range []string{"exgate/control", "exgate/control/claims", "exgate/control/probe/x"} {
			for qos := range byte(3) {
				if r := connectortest.Publish(t, hostile, topic, qos, forged); r.Code != gateway.CodePermissionDeny {
					t.Errorf("publishing to %s with QoS %d: %v", topic, qos, r)
				}
			}
		}
		for _, filter := range []string{
			"exgate/control", "exgate/control/#", "exgate/control/+",
			"$share/g/exgate/control/claims",
		} {
			if r := connectortest.Subscribe(t, hostile, filter, 0); r.Code != gateway.CodePermissionDeny {
				t.Errorf("subscribing to %s: %v", filter, r)
			}
		}
		for _, filter := range []string{"#", "exgate/+/claims", "$share/g/exgate/#"} {
			if r := connectortest.Subscribe(t, hostile, filter, 0); !r.Ok() {
				t.Errorf("subscribing to %s: %v", filter, r)
			}
		}
		brokertest.Connect(t, s, "another") // the gateway claims the login on the control topic
		if r := connectortest.Publish(t, hostile, "exgate/controls", 1, "fence"); !r.Ok() {
			t.Fatal(r)
		}
		if m := d.Next(t); m.Topic != "exgate/controls" || victim.Losses() > 0 {
			t.Fatalf("a device got %s; %d losses", m.Topic, victim.Losses())
		}
		hostile.Close()
	}
}

// TestSharedSpool makes devices log in, publish, log out and log in again before the broker is up: every message must
// arrive, in order.
func TestSharedSpool(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	listener := brokertest.Listen(t, newConnector(t, clienttest.Lasting(b.URL())), "spooled/#")
	b.Stop(t)
	cfg := clienttest.Spooled(t, b.URL())
	base := newConnector(t, cfg)
	s := sharedOf(t, base, shared.Config{Connections: 2})
	const devices, rounds, messages = 10, 4, 10
	for round := range rounds {
		var calls []*connectortest.Call
		for i := range devices {
			m := brokertest.LogIn(t, s, fmt.Sprint("device-", i))
			for n := range messages {
				call := connectortest.NewCall()
				calls = append(calls, call)
				m.Publish("spooled/"+m.ID, byte(1+n%2), []byte(strconv.Itoa(round*messages+n)), nil, call.Done)
			}
			if i%2 == 0 {
				m.Close()
			}
		}
		for _, call := range calls {
			if r := call.Result(t); !r.Ok() {
				t.Fatal(r)
			}
		}
	}
	b.Restart(t)
	last := brokertest.LogIn(t, s, "device-0")
	brokertest.Publish(t, last, "spooled/"+last.ID, 1, strconv.Itoa(rounds*messages))
	next := make([]int, devices)
	for !slices.Equal(next, append([]int{rounds*messages + 1}, slices.Repeat([]int{rounds * messages}, devices-1)...)) {
		got := listener.Next(t)
		var device int
		if _, err := fmt.Sscanf(got.Topic, "spooled/device-%d", &device); err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(string(got.Payload))
		if err != nil || n > next[device] {
			t.Fatalf("device %d: got %s, want %d", device, got.Payload, next[device])
		}
		next[device] = max(next[device], n+1)
	}
	gatewaytest.Eventually(t, "the spool to be empty", func() bool { return len(base.broker.Spooled()) == 0 })
	if n := clienttest.Counted(t, base.broker, "dropped_total", "spooled_refused"); n > 0 {
		t.Errorf("%v messages were refused", n)
	}
}

// TestSharedRestart restarts mosquitto while many devices publish: a publish succeeds only after it has arrived, in the
// order of its device.
func TestSharedRestart(t *testing.T) {
	for name, restart := range map[string]func(t *testing.T, b *mosquitto.Broker){
		"killed":  func(t *testing.T, b *mosquitto.Broker) { b.Kill(); b.Restart(t) },
		"stopped": func(t *testing.T, b *mosquitto.Broker) { b.Stop(t); b.Restart(t) },
	} {
		t.Run(name, func(t *testing.T) {
			b := mosquitto.Start(t, mosquitto.Options{})
			s := newShared(t, clienttest.Quick(b.URL()), shared.Config{})
			const devices, messages = 50, 40
			members := make([]*brokertest.Member, devices)
			for i := range members {
				members[i] = brokertest.LogIn(t, s, fmt.Sprint("device-", i))
				members[i].MustSubscribe(t, "down/"+members[i].ID, 1)
			}
			cfg := clienttest.Quick(b.URL())
			// mosquitto persists a session that began without Clean Start, and not those of the shared connections
			cfg.SessionExpiry = time.Minute
			observer := brokertest.LogIn(t, newConnector(t, cfg), "observer")
			observer.MustSubscribe(t, "down/#", 1)
			calls := publishAll(members, 0, messages)
			b.Pause(t)
			calls = append(calls, publishAll(members, messages, 3*messages)...)
			restart(t, b)
			for _, call := range calls {
				if r := call.Result(t); !r.Ok() || call.Times() != 1 {
					t.Fatalf("%v, done was called %d times", r, call.Times())
				}
			}
			publishAll(members, 3*messages, 3*messages+1)
			for _, m := range members {
				wantInOrder(t, m, true, map[string]int{"down/" + m.ID: 3 * messages})
			}
			last := map[string]int{}
			for _, m := range members {
				last["down/"+m.ID] = 3 * messages
			}
			wantInOrder(t, observer, name == "killed", last)
		})
	}
}

// publishAll makes each device publish to itself, without waiting.
func publishAll(members []*brokertest.Member, first, end int) (calls []*connectortest.Call) {
	for i := first; i < end; i++ {
		for _, m := range members {
			call := connectortest.NewCall()
			calls = append(calls, call)
			m.Publish("down/"+m.ID, 1, []byte(strconv.Itoa(i)), nil, call.Done)
		}
	}
	return calls
}

// wantInOrder expects the numbers up to the last of each topic; duplicates are allowed. With mayLose, the broker may
// have lost acknowledged messages.
func wantInOrder(t *testing.T, m *brokertest.Member, mayLose bool, last map[string]int) {
	t.Helper()
	next := map[string]int{}
	for len(last) > 0 {
		got := m.Next(t)
		n, err := strconv.Atoi(string(got.Payload))
		if err != nil || (n > next[got.Topic] && !mayLose) {
			t.Fatalf("%s gets %d of %s, not %d", m.ID, n, got.Topic, next[got.Topic])
		}
		next[got.Topic] = max(next[got.Topic], n+1)
		if n == last[got.Topic] {
			delete(last, got.Topic)
		}
	}
}
