package mqtt

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway"
)

// TestSharedRestart takes mosquitto away amid publishes of many devices: each is done once it has arrived, in the order of its device.
func TestSharedRestart(t *testing.T) {
	for name, restart := range map[string]func(t *testing.T, b *mosquitto.Broker){
		"killed":  func(t *testing.T, b *mosquitto.Broker) { b.Kill(); b.Restart(t) },
		"stopped": func(t *testing.T, b *mosquitto.Broker) { b.Stop(t); b.Restart(t) },
	} {
		t.Run(name, func(t *testing.T) {
			b := mosquitto.Start(t, mosquitto.Options{})
			s := newShared(t, quick(b.URL()), SharedConfig{})
			const devices, messages = 50, 40
			members := make([]*member, devices)
			for i := range members {
				members[i] = logIn(t, s, fmt.Sprint("device-", i))
				members[i].subscribe(t, "down/"+members[i].id, 1)
			}
			cfg := quick(b.URL())
			cfg.SessionExpiry = lostSessionExpiry // mosquitto keeps the session on disk that does not begin with Clean Start, and not those of carriers
			observer := logIn(t, newConnector(t, cfg), "observer")
			observer.subscribe(t, "down/#", 1)
			calls := publishAll(members, 0, messages)
			b.Pause(t)
			calls = append(calls, publishAll(members, messages, 3*messages)...)
			restart(t, b)
			for _, call := range calls {
				if r := call.Result(t); !r.Ok() || call.Times() != 1 {
					t.Fatalf("%v, told %d times", r, call.Times())
				}
			}
			publishAll(members, 3*messages, 3*messages+1)
			for _, m := range members {
				wantInOrder(t, m, true, map[string]int{"down/" + m.id: 3 * messages})
			}
			last := map[string]int{}
			for _, m := range members {
				last["down/"+m.id] = 3 * messages
			}
			wantInOrder(t, observer, name == "killed", last)
		})
	}
}

// publishAll has each device publish to itself, without waiting.
func publishAll(members []*member, first, end int) (calls []*connectortest.Call) {
	for i := first; i < end; i++ {
		for _, m := range members {
			call := connectortest.NewCall()
			calls = append(calls, call)
			m.Publish("down/"+m.id, 1, []byte(strconv.Itoa(i)), call.Done)
		}
	}
	return calls
}

// wantInOrder wants the numbers up to the last of each topic, some perhaps twice. Where the broker may lose what it acknowledged, some may be missing.
func wantInOrder(t *testing.T, m *member, mayLose bool, last map[string]int) {
	t.Helper()
	next := map[string]int{}
	for len(last) > 0 {
		got := m.Next(t)
		n, err := strconv.Atoi(string(got.Payload))
		if err != nil || (n > next[got.Topic] && !mayLose) {
			t.Fatalf("%s gets %d of %s, not %d", m.id, n, got.Topic, next[got.Topic])
		}
		next[got.Topic] = max(next[got.Topic], n+1)
		if n == last[got.Topic] {
			delete(last, got.Topic)
		}
	}
}

// TestSubscribeWhileDown has what devices ask for while the broker is away take effect after it.
func TestSubscribeWhileDown(t *testing.T) {
	for _, forget := range []bool{false, true} {
		b := newMemoryBroker(t)
		s := newShared(t, quick(b.url()), SharedConfig{Connections: 1})
		m := logIn(t, s, "device")
		for _, filter := range []string{"stays", "leaves", "returns"} {
			m.subscribe(t, filter, 1)
		}
		b.stop()
		awaitDown(t, &s.carriers[0].client)
		calls := make([]*connectortest.Call, 5)
		for i := range calls {
			calls[i] = connectortest.NewCall()
		}
		m.Unsubscribe("leaves", calls[0].Done)
		m.Unsubscribe("returns", calls[1].Done)
		m.Subscribe("returns", 1, calls[2].Done)
		m.Subscribe("new", 1, calls[3].Done)
		logIn(t, s, "gone").Subscribe("gone", 1, calls[4].Done)
		s.session("gone").Close()
		b.start(forget)
		for i, call := range calls {
			if r := call.Result(t); r.Ok() == (i == 4) {
				t.Fatalf("call %d: %v", i, r)
			}
		}
		b.awaitClients(t, 2)
		awaitFilters(t, b, "new", "returns", "stays")
		for _, topic := range []string{"new", "leaves", "gone", "returns", "stays"} {
			b.publish(topic, topic, 1)
		}
		b.flush(t, 2)
		m.wants(t, "new", "returns", "stays")
		m.wantsNoMore(t)
	}
}

// TestComeAndGoWhileDown leaves a filter while the broker is away, asks for it again and leaves it again: the broker, which has kept it, is told.
func TestComeAndGoWhileDown(t *testing.T) {
	b := newMemoryBroker(t)
	s := newShared(t, quick(b.url()), SharedConfig{Connections: 1})
	m := logIn(t, s, "device")
	m.subscribe(t, "f", 1)
	b.stop()
	awaitDown(t, &s.carriers[0].client)
	m.Unsubscribe("f", nil)
	m.Subscribe("f", 1, nil)
	m.Unsubscribe("f", nil)
	b.start(false)
	awaitFilters(t, b)
	wantNoRoutes(t, s)
}

// TestNothingGrowsWhileDown has many devices come, ask, publish and leave while the broker is away.
func TestNothingGrowsWhileDown(t *testing.T) {
	b := newMemoryBroker(t)
	s := newShared(t, quick(b.url()), SharedConfig{Connections: 1})
	logIn(t, s, "stays")
	b.stop()
	c := &s.carriers[0].client
	awaitDown(t, c)
	for i := range 1000 {
		m, call := logIn(t, s, fmt.Sprint("device-", i)), connectortest.NewCall()
		m.Subscribe("own/"+m.id, 1, nil)
		m.Subscribe("common", 1, nil)
		m.Publish("t", 1, []byte("x"), call.Done)
		m.Close()
		if r := call.Result(t); r.Code != gateway.CodeConnProcessNotAlive {
			t.Fatal(r)
		}
	}
	c.mu.Lock()
	if n := len(c.blocked) + len(c.house.queue.list) + len(c.inflight); n > 10 {
		t.Errorf("%d lanes and calls wait", n)
	}
	c.mu.Unlock()
	r := &s.carriers[0].routes
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.by) + len(r.ids) + len(r.stale); n > 0 {
		t.Errorf("%d routes are left", n)
	}
}

// TestSentWhenLeaving tells a device that leaves of the publish that the broker has not acknowledged, and sends that again all the same.
func TestSentWhenLeaving(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	s := newShared(t, quick(b.URL()), SharedConfig{Connections: 1})
	m, other := logIn(t, s, "device"), logIn(t, s, "other")
	other.subscribe(t, "t", 1)
	b.Pause(t)
	call := connectortest.NewCall()
	m.Publish("t", 1, []byte("x"), call.Done)
	m.Close()
	if r := call.Result(t); r.Code != gateway.CodeConnProcessNotAlive {
		t.Fatal(r)
	}
	b.Resume(t)
	other.wants(t, "x")
	publish(t, other, "t", 1, "end")
	if call.Times() != 1 {
		t.Fatalf("told %d times", call.Times())
	}
}
