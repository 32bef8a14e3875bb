package mqtt

import (
	"fmt"
	"testing"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/brokers"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
)

// realBroker is what the tests with several brokers need of one.
type realBroker interface {
	URL() string
	Addr() string
}

// eachBroker runs a test with a broker that sends a copy for each subscription, and with one that sends a single copy.
func eachBroker(t *testing.T, f func(t *testing.T, b realBroker, merges bool)) {
	t.Run("mosquitto", func(t *testing.T) { f(t, mosquitto.Start(t, mosquitto.Options{}), false) })
	t.Run("HiveMQ", func(t *testing.T) { f(t, brokers.StartHiveMQ(t, brokers.HiveMQOptions{}), true) })
}

// flushed has a device get all that was published before: one broker sends what comes from one client in order, within a QoS.
func flushed(t testing.TB, from *member, to ...*member) {
	t.Helper()
	for _, m := range to {
		m.subscribe(t, "flush/"+m.id, 1)
	}
	for _, m := range to {
		publish(t, from, "flush/"+m.id, 1, "flush")
	}
}

func publish(t testing.TB, from *member, topic string, qos byte, payload string) {
	t.Helper()
	if r := connectortest.Publish(t, from, topic, qos, payload); !r.Ok() {
		t.Fatalf("publishing to %s: %v", topic, r)
	}
}

// TestRetained wants retained messages with those who ask only, also where several ask at the same moment.
func TestRetained(t *testing.T) {
	eachBroker(t, func(t *testing.T, b realBroker, _ bool) {
		s := newShared(t, quick(b.URL()), SharedConfig{Connections: 1})
		mosquitto.Retain(t, b.Addr(), "", "", "state/a", "kept")
		first := logIn(t, s, "first")
		first.subscribe(t, "state/a", 1)
		first.subscribe(t, "state/+", 1)
		first.wants(t, "kept", "kept")
		var members []*member
		var calls []*connectortest.Call
		for i := range 20 {
			m, call := logIn(t, s, fmt.Sprint("device-", i)), connectortest.NewCall()
			members, calls = append(members, m), append(calls, call)
			m.Subscribe([]string{"state/a", "state/+"}[i%2], 1, call.Done)
		}
		for i, call := range calls {
			if r := call.Result(t); !r.Ok() {
				t.Fatal(r)
			}
			members[i].wants(t, "kept")
		}
		flushed(t, first, append(members, first)...)
		for _, m := range append(members, first) {
			m.wants(t, "flush")
			m.wantsNoMore(t)
		}
	})
}

// TestRetainFlagOfLive wants a message that its publisher wants kept with all who have subscribed already.
func TestRetainFlagOfLive(t *testing.T) {
	eachBroker(t, func(t *testing.T, b realBroker, _ bool) {
		s := newShared(t, quick(b.URL()), SharedConfig{})
		var members []*member
		for i := range 5 {
			m := logIn(t, s, fmt.Sprint("device-", i))
			m.subscribe(t, "state/a", 1)
			members = append(members, m)
		}
		mosquitto.Retain(t, b.Addr(), "", "", "state/a", "live")
		for _, m := range members {
			m.wants(t, "live")
		}
		late := logIn(t, s, "late")
		late.subscribe(t, "state/a", 1)
		late.wants(t, "live")
		flushed(t, late, members...)
		for _, m := range members {
			m.wants(t, "flush")
			m.wantsNoMore(t)
		}
	})
}
