package shared

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/brokers"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/connectors/mqtt/wire"
	"github.com/exgate/exgate/runtime/gateway"
)

// TestOneSubscription has many devices share one filter: the broker keeps the subscription until the last device
// leaves.
func TestOneSubscription(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	s := newConnector(t, clienttest.Quick(b.URL()), Config{})
	const n = 20
	var members []*brokertest.Member
	want := []string{}
	for i := range n {
		m := brokertest.LogIn(t, s, fmt.Sprint("device-", i))
		m.MustSubscribe(t, "common", byte(i%2))
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
	b.Publish("common", "still here", 1)
	members[0].Wants(t, "still here")
	awaitAsks(t, b, want...)
	members[0].Close()
	awaitAsks(t, b, append(want, "UNSUBSCRIBE common")...)
	wantNoRoutes(t, s)
}

// TestSubscribesCoalesce has many devices subscribe while a SUBSCRIBE is unanswered: one more SUBSCRIBE serves all of
// them.
func TestSubscribesCoalesce(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	s := newConnector(t, clienttest.Quick(b.URL()), Config{Connections: 1})
	b.Set(func() { b.Mute = true })
	first := brokertest.LogIn(t, s, "first")
	calls := []*connectortest.Call{connectortest.NewCall()}
	first.Subscribe("common", 0, calls[0].Done)
	awaitAsks(t, b, "SUBSCRIBE common")
	for i := range 50 {
		m, call := brokertest.LogIn(t, s, fmt.Sprint("device-", i)), connectortest.NewCall()
		m.Subscribe("common", 1, call.Done)
		calls = append(calls, call)
	}
	b.Set(func() { b.Mute = false; b.Retained["common"] = "kept" })
	answerFirst(b)
	for _, call := range calls {
		if r := call.Result(t); !r.Ok() {
			t.Fatal(r)
		}
	}
	awaitAsks(t, b, "SUBSCRIBE common", "SUBSCRIBE common")
	if f := b.Filters(); len(f) != 1 {
		t.Fatalf("the broker has %v", f)
	}
	b.Flush(t, 2)
	first.WantsNoMore(t)
}

// answerFirst answers the unanswered SUBSCRIBE of the first shared connection.
func answerFirst(b *brokertest.MemoryBroker) {
	b.Set(func() {
		c := b.Sessions["exgate-exgate-shared-1"]
		c.Peer.Suback(c.Asked, 0)
	})
}

// TestLeaveWhileAsking has the last device leave before SUBACK.
func TestLeaveWhileAsking(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	s := newConnector(t, clienttest.Quick(b.URL()), Config{Connections: 1})
	b.Set(func() { b.Mute = true })
	m, call := brokertest.LogIn(t, s, "device"), connectortest.NewCall()
	m.Subscribe("f", 0, call.Done)
	awaitAsks(t, b, "SUBSCRIBE f")
	m.Close()
	awaitAsks(t, b, "SUBSCRIBE f", "UNSUBSCRIBE f")
	answerFirst(b)
	call.Result(t)
	wantNoRoutes(t, s)
	if f := b.Filters(); call.Times() != 1 || len(f) > 0 {
		t.Fatalf("%d results; the broker has %v", call.Times(), f)
	}
}

// TestUnanswered expects an UNSUBSCRIBE after a SUBSCRIBE that was not answered in time, since the broker may have
// accepted it.
func TestUnanswered(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	cfg := clienttest.Quick(b.URL())
	cfg.PacketTimeout = 1
	s := newConnector(t, cfg, Config{Connections: 1})
	m := brokertest.LogIn(t, s, "device")
	b.Set(func() { b.Mute = true })
	if r := connectortest.Subscribe(t, m, "f", 0); r.Code != gateway.CodeUnknown {
		t.Fatal(r)
	}
	awaitAsks(t, b, "SUBSCRIBE f", "UNSUBSCRIBE f")
	wantNoRoutes(t, s)
}

// TestSubIDsUnavailable uses a broker that would end the connection for a Subscription Identifier, MQTT 5, section
// 3.2.2.3.12.
func TestSubIDsUnavailable(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	b.NoSubIDs = true
	s := newConnector(t, clienttest.Quick(b.URL()), Config{Connections: 1})
	m := brokertest.LogIn(t, s, "device")
	m.MustSubscribe(t, "a/b", 1)
	m.MustSubscribe(t, "a/+", 1)
	b.Set(func() {
		for filter, f := range b.Sessions["exgate-exgate-shared-1"].Filters {
			if f.ID != 0 {
				t.Errorf("%s has the Subscription Identifier %d", filter, f.ID)
			}
		}
	})
	b.Publish("a/c", "one", 1)
	m.Wants(t, "one")
	other := brokertest.LogIn(t, s, "other")
	b.Set(func() { b.Retained["a/b"] = "kept" })
	other.MustSubscribe(t, "a/b", 0)
	other.Wants(t, "kept")
}

// TestLeftFilter sends a message for a filter that has since been left: devices with another matching filter get their
// own copy, and no more.
func TestLeftFilter(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	s := newConnector(t, clienttest.Quick(b.URL()), Config{Connections: 1})
	stays, leaves := brokertest.LogIn(t, s, "stays"), brokertest.LogIn(t, s, "leaves")
	stays.MustSubscribe(t, "a/+", 1)
	leaves.MustSubscribe(t, "a/b", 1)
	var left brokertest.MemoryFilter
	b.Set(func() { left = b.Sessions["exgate-exgate-shared-1"].Filters["a/b"] })
	if r := connectortest.Unsubscribe(t, leaves, "a/b"); !r.Ok() {
		t.Fatal(r)
	}
	b.Set(func() {
		c := b.Sessions["exgate-exgate-shared-1"]
		m := wire.Publication{Topic: "a/b", Payload: []byte("x"), QoS: 1}
		c.Send(m, left.ID)
		c.Send(m, c.Filters["a/+"].ID)
	})
	b.Flush(t, 2)
	stays.Wants(t, "x")
	stays.WantsNoMore(t)
	leaves.WantsNoMore(t)
}

// TestReplacedIdentifier sends a message with the Subscription Identifier of an early SUBSCRIBE after many more for the
// same filter.
func TestReplacedIdentifier(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	s := newConnector(t, clienttest.Quick(b.URL()), Config{Connections: 1})
	first, second := brokertest.LogIn(t, s, "first"), brokertest.LogIn(t, s, "second")
	first.MustSubscribe(t, "a/b", 1)
	first.MustSubscribe(t, "a/+", 1)
	var old brokertest.MemoryFilter
	b.Set(func() { old = b.Sessions["exgate-exgate-shared-1"].Filters["a/b"] })
	routes := &s.conns[0].routes
	routes.mu.Lock()
	for _, q := range routes.ids {
		q.granted = q.granted.Add(-2 * memory)
	}
	routes.mu.Unlock()
	second.MustSubscribe(t, "a/b", 1)
	b.Set(func() {
		b.Sessions["exgate-exgate-shared-1"].Send(wire.Publication{Topic: "a/b", Payload: []byte("late"), QoS: 1},
			old.ID)
	})
	first.Wants(t, "late")
}

// TestRefusedAgain has a device subscribe repeatedly to a filter that others have and the broker now refuses.
func TestRefusedAgain(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	s := newConnector(t, clienttest.Quick(b.URL()), Config{Connections: 1})
	first, second := brokertest.LogIn(t, s, "first"), brokertest.LogIn(t, s, "second")
	first.MustSubscribe(t, "f", 1)
	b.Set(func() { b.Refused["f"] = packets.SubackNotauthorized })
	for range 100 {
		if r := connectortest.Subscribe(t, second, "f", 1); r.Code != gateway.CodePermissionDeny {
			t.Fatal(r)
		}
	}
	b.Publish("f", "x", 1)
	first.Wants(t, "x")
	b.Flush(t, 2)
	second.WantsNoMore(t)
	routes := &s.conns[0].routes
	routes.mu.Lock()
	defer routes.mu.Unlock()
	if n := len(routes.ids); n > 1 {
		t.Fatalf("%d SUBSCRIBEs are remembered", n)
	}
}

// TestOverlap has devices with overlapping filters, on one connection and on several: each message arrives, and only
// once if one filter matches.
func TestOverlap(t *testing.T) {
	eachBroker(t, func(t *testing.T, b realBroker, merges bool) {
		for _, connections := range []int{1, 4} {
			s := newConnector(t, client.Config{URL: b.URL(), Node: fmt.Sprint("node-", connections)},
				Config{Connections: connections})
			exact, wild := brokertest.LogIn(t, s, "exact"), brokertest.LogIn(t, s, "wild")
			both := brokertest.LogIn(t, s, "both")
			exact.MustSubscribe(t, "t/1", 1)
			wild.MustSubscribe(t, "t/#", 1)
			both.MustSubscribe(t, "t/1", 1)
			both.MustSubscribe(t, "t/+", 1)
			if s.mode.merges() != merges {
				t.Fatalf("the broker is taken for one that merges: %v", !merges)
			}
			from := brokertest.LogIn(t, s, "from")
			const n = 50
			for i := range n {
				brokertest.Publish(t, from, "t/1", 1, strconv.Itoa(i))
			}
			flushed(t, from, exact, wild, both)
			for i := range n {
				exact.Wants(t, strconv.Itoa(i))
				wild.Wants(t, strconv.Itoa(i))
			}
			for _, m := range []*brokertest.Member{exact, wild} {
				m.Wants(t, "flush")
				m.WantsNoMore(t)
			}
			copies := map[string]int{}
			for len(copies) < n {
				copies[string(both.Next(t).Payload)]++
			}
			for payload, got := range copies {
				if got > 2 || (merges && connections == 1 && got > 1 && payload != "flush") {
					t.Errorf("%d connections: %d copies of %s", connections, got, payload)
				}
			}
			for _, m := range []*brokertest.Member{exact, wild, both, from} {
				m.Close()
			}
		}
	})
}

// TestQoSOfEach has devices share a filter with different QoS: each gets the lower of its own and the message's.
func TestQoSOfEach(t *testing.T) {
	eachBroker(t, func(t *testing.T, b realBroker, _ bool) {
		s := newConnector(t, clienttest.Quick(b.URL()), Config{})
		var members [3]*brokertest.Member
		for own := range members {
			members[own] = brokertest.LogIn(t, s, fmt.Sprint("device-", own))
			members[own].MustSubscribe(t, "t", byte(own))
		}
		from := brokertest.LogIn(t, s, "from")
		for published := range byte(3) {
			brokertest.Publish(t, from, "t", published, "x")
			for own, m := range members {
				if got := m.Next(t); got.QoS != min(published, byte(own)) {
					t.Errorf("a message of QoS %d comes with %d to a subscription with %d", published, got.QoS, own)
				}
			}
		}
		members[2].MustSubscribe(t, "t", 0)
		brokertest.Publish(t, from, "t", 2, "x")
		if got := members[2].Next(t); got.QoS != 0 {
			t.Errorf("got QoS %d after subscribing again with 0", got.QoS)
		}
	})
}

// realBroker is a broker of any kind.
type realBroker interface {
	URL() string
	Addr() string
}

// eachBroker runs a test with a broker that sends a copy for each subscription, and with one that sends a single copy.
func eachBroker(t *testing.T, f func(t *testing.T, b realBroker, merges bool)) {
	t.Run("mosquitto", func(t *testing.T) { f(t, mosquitto.Start(t, mosquitto.Options{}), false) })
	t.Run("HiveMQ", func(t *testing.T) { f(t, brokers.StartHiveMQ(t, brokers.HiveMQOptions{}), true) })
}

// flushed waits until devices have got everything published before: a broker keeps the order of one client's messages
// within a QoS.
func flushed(t testing.TB, from *brokertest.Member, to ...*brokertest.Member) {
	t.Helper()
	for _, m := range to {
		m.MustSubscribe(t, "flush/"+m.ID, 1)
	}
	for _, m := range to {
		brokertest.Publish(t, from, "flush/"+m.ID, 1, "flush")
	}
}

// TestRetained expects every subscriber to get the retained messages, even if several subscribe at the same time.
func TestRetained(t *testing.T) {
	eachBroker(t, func(t *testing.T, b realBroker, _ bool) {
		s := newConnector(t, clienttest.Quick(b.URL()), Config{Connections: 1})
		mosquitto.Retain(t, b.Addr(), "", "", "state/a", "kept")
		first := brokertest.LogIn(t, s, "first")
		first.MustSubscribe(t, "state/a", 1)
		first.MustSubscribe(t, "state/+", 1)
		first.Wants(t, "kept", "kept")
		var members []*brokertest.Member
		var calls []*connectortest.Call
		for i := range 20 {
			m, call := brokertest.LogIn(t, s, fmt.Sprint("device-", i)), connectortest.NewCall()
			members, calls = append(members, m), append(calls, call)
			m.Subscribe([]string{"state/a", "state/+"}[i%2], 1, call.Done)
		}
		for i, call := range calls {
			if r := call.Result(t); !r.Ok() {
				t.Fatal(r)
			}
			members[i].Wants(t, "kept")
		}
		flushed(t, first, append(members, first)...)
		for _, m := range append(members, first) {
			m.Wants(t, "flush")
			m.WantsNoMore(t)
		}
	})
}

// TestRetainFlagOfLive expects a message published with retain to reach existing subscribers.
func TestRetainFlagOfLive(t *testing.T) {
	eachBroker(t, func(t *testing.T, b realBroker, _ bool) {
		s := newConnector(t, clienttest.Quick(b.URL()), Config{})
		var members []*brokertest.Member
		for i := range 5 {
			m := brokertest.LogIn(t, s, fmt.Sprint("device-", i))
			m.MustSubscribe(t, "state/a", 1)
			members = append(members, m)
		}
		mosquitto.Retain(t, b.Addr(), "", "", "state/a", "live")
		for _, m := range members {
			m.Wants(t, "live")
		}
		late := brokertest.LogIn(t, s, "late")
		late.MustSubscribe(t, "state/a", 1)
		late.Wants(t, "live")
		flushed(t, late, members...)
		for _, m := range members {
			m.Wants(t, "flush")
			m.WantsNoMore(t)
		}
	})
}
