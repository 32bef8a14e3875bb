package mqtt

import (
	"fmt"
	"testing"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/runtime/gateway"

	"github.com/exgate/exgate/connectors/mqtt/wire"
)

// TestOneSubscription has many devices share one filter, which the broker has until the last has left.
func TestOneSubscription(t *testing.T) {
	b := newMemoryBroker(t)
	s := newShared(t, quick(b.url()), SharedConfig{})
	const n = 20
	var members []*member
	want := []string{}
	for i := range n {
		m := logIn(t, s, fmt.Sprint("device-", i))
		m.subscribe(t, "common", byte(i%2))
		members, want = append(members, m), append(want, "SUBSCRIBE common")
	}
	awaitAsks(t, b, want...)
	for i, m := range members[1:] {
		if i%2 == 0 {
			m.Close()
		} else if r := connectortest.Unsubscribe(t, m, "common"); !r.Ok() {
			t.Fatal(r)
		}
	}
	b.publish("common", "still here", 1)
	members[0].wants(t, "still here")
	awaitAsks(t, b, want...)
	members[0].Close()
	awaitAsks(t, b, append(want, "UNSUBSCRIBE common")...)
	wantNoRoutes(t, s)
}

// TestSubscribesCoalesce has many devices ask while a SUBSCRIBE is unanswered: one more is for them all.
func TestSubscribesCoalesce(t *testing.T) {
	b := newMemoryBroker(t)
	s := newShared(t, quick(b.url()), SharedConfig{Connections: 1})
	b.set(func() { b.mute = true })
	first := logIn(t, s, "first")
	calls := []*connectortest.Call{connectortest.NewCall()}
	first.Subscribe("common", 0, calls[0].Done)
	awaitAsks(t, b, "SUBSCRIBE common")
	for i := range 50 {
		m, call := logIn(t, s, fmt.Sprint("device-", i)), connectortest.NewCall()
		m.Subscribe("common", 1, call.Done)
		calls = append(calls, call)
	}
	b.set(func() { b.mute = false; b.retained["common"] = "kept" })
	answerFirst(b)
	for _, call := range calls {
		if r := call.Result(t); !r.Ok() {
			t.Fatal(r)
		}
	}
	awaitAsks(t, b, "SUBSCRIBE common", "SUBSCRIBE common")
	if f := b.filters(); len(f) != 1 {
		t.Fatalf("the broker has %v", f)
	}
	b.flush(t, 2)
	first.wantsNoMore(t)
}

// answerFirst answers the one SUBSCRIBE of the carrier that was not.
func answerFirst(b *memoryBroker) {
	b.set(func() {
		c := b.sessions["exgate-exgate-shared-1"]
		c.peer.suback(c.asked, 0)
	})
}

// TestLeaveWhileAsking has the last device leave before SUBACK.
func TestLeaveWhileAsking(t *testing.T) {
	b := newMemoryBroker(t)
	s := newShared(t, quick(b.url()), SharedConfig{Connections: 1})
	b.set(func() { b.mute = true })
	m, call := logIn(t, s, "device"), connectortest.NewCall()
	m.Subscribe("f", 0, call.Done)
	awaitAsks(t, b, "SUBSCRIBE f")
	m.Close()
	awaitAsks(t, b, "SUBSCRIBE f", "UNSUBSCRIBE f")
	answerFirst(b)
	call.Result(t)
	wantNoRoutes(t, s)
	if f := b.filters(); call.Times() != 1 || len(f) > 0 {
		t.Fatalf("%d results; the broker has %v", call.Times(), f)
	}
}

// TestUnanswered gives up a SUBSCRIBE that the broker may have taken, and takes it back.
func TestUnanswered(t *testing.T) {
	b := newMemoryBroker(t)
	cfg := quick(b.url())
	cfg.PacketTimeout = 1
	s := newShared(t, cfg, SharedConfig{Connections: 1})
	m := logIn(t, s, "device")
	b.set(func() { b.mute = true })
	if r := connectortest.Subscribe(t, m, "f", 0); r.Code != gateway.CodeUnknown {
		t.Fatal(r)
	}
	awaitAsks(t, b, "SUBSCRIBE f", "UNSUBSCRIBE f")
	wantNoRoutes(t, s)
}

// TestSubIDsUnavailable is with a broker that would end the connection for a Subscription Identifier, MQTT 5, section 3.2.2.3.12.
func TestSubIDsUnavailable(t *testing.T) {
	b := newMemoryBroker(t)
	b.noSubIDs = true
	s := newShared(t, quick(b.url()), SharedConfig{Connections: 1})
	m := logIn(t, s, "device")
	m.subscribe(t, "a/b", 1)
	m.subscribe(t, "a/+", 1)
	b.set(func() {
		for filter, f := range b.sessions["exgate-exgate-shared-1"].filters {
			if f.id != 0 {
				t.Errorf("%s has the Subscription Identifier %d", filter, f.id)
			}
		}
	})
	b.publish("a/c", "one", 1)
	m.wants(t, "one")
	other := logIn(t, s, "other")
	b.set(func() { b.retained["a/b"] = "kept" })
	other.subscribe(t, "a/b", 0)
	other.wants(t, "kept")
}

// TestLeftFilter sends a message for a filter that was left meanwhile: those with another one that matches get their own copy, and no more.
func TestLeftFilter(t *testing.T) {
	b := newMemoryBroker(t)
	s := newShared(t, quick(b.url()), SharedConfig{Connections: 1})
	stays, leaves := logIn(t, s, "stays"), logIn(t, s, "leaves")
	stays.subscribe(t, "a/+", 1)
	leaves.subscribe(t, "a/b", 1)
	var left memoryFilter
	b.set(func() { left = b.sessions["exgate-exgate-shared-1"].filters["a/b"] })
	if r := connectortest.Unsubscribe(t, leaves, "a/b"); !r.Ok() {
		t.Fatal(r)
	}
	b.set(func() {
		c := b.sessions["exgate-exgate-shared-1"]
		m := wire.Publication{Topic: "a/b", Payload: []byte("x"), QoS: 1}
		c.send(m, left.id)
		c.send(m, c.filters["a/+"].id)
	})
	b.flush(t, 2)
	stays.wants(t, "x")
	stays.wantsNoMore(t)
	leaves.wantsNoMore(t)
}

// TestReplacedIdentifier sends a message that was on its way when somebody else subscribed to the same filter, long after the first.
func TestReplacedIdentifier(t *testing.T) {
	b := newMemoryBroker(t)
	s := newShared(t, quick(b.url()), SharedConfig{Connections: 1})
	first, second := logIn(t, s, "first"), logIn(t, s, "second")
	first.subscribe(t, "a/b", 1)
	first.subscribe(t, "a/+", 1)
	var old memoryFilter
	b.set(func() { old = b.sessions["exgate-exgate-shared-1"].filters["a/b"] })
	routes := &s.carriers[0].routes
	routes.mu.Lock()
	for _, q := range routes.ids {
		q.granted = q.granted.Add(-2 * memory)
	}
	routes.mu.Unlock()
	second.subscribe(t, "a/b", 1)
	b.set(func() {
		b.sessions["exgate-exgate-shared-1"].send(wire.Publication{Topic: "a/b", Payload: []byte("late"), QoS: 1}, old.id)
	})
	first.wants(t, "late")
}

// TestRefusedAgain has a device ask again and again for what the others have and the broker does not give any more.
func TestRefusedAgain(t *testing.T) {
	b := newMemoryBroker(t)
	s := newShared(t, quick(b.url()), SharedConfig{Connections: 1})
	first, second := logIn(t, s, "first"), logIn(t, s, "second")
	first.subscribe(t, "f", 1)
	b.set(func() { b.refused["f"] = packets.SubackNotauthorized })
	for range 100 {
		if r := connectortest.Subscribe(t, second, "f", 1); r.Code != gateway.CodePermissionDeny {
			t.Fatal(r)
		}
	}
	b.publish("f", "x", 1)
	first.wants(t, "x")
	b.flush(t, 2)
	second.wantsNoMore(t)
	routes := &s.carriers[0].routes
	routes.mu.Lock()
	defer routes.mu.Unlock()
	if n := len(routes.ids); n > 1 {
		t.Fatalf("%d SUBSCRIBEs are remembered", n)
	}
}
