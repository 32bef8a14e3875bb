package connectortest

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

func (f *fixture) testDelivery(t *testing.T) {
	from, _ := f.connect(t, unique("from"))
	to, d := f.connect(t, unique("to"))
	topic := unique("topic") + "/a/b"
	wantOK(t, "subscribing", Subscribe(t, to, topic, 2))
	before := time.Now().Add(-time.Second)
	wantOK(t, "publishing", Publish(t, from, topic, 1, "payload\x00\xff"))
	m := d.Next(t)
	if m.Topic != topic || string(m.Payload) != "payload\x00\xff" {
		t.Fatalf("got %q on %q", m.Payload, m.Topic)
	}
	if m.ID == "" || m.Timestamp.Before(before) || m.Timestamp.After(time.Now().Add(time.Second)) {
		t.Fatalf("got a message with id %q of %v", m.ID, m.Timestamp)
	}
	wantOK(t, "publishing", Publish(t, from, topic, 1, "again"))
	if again := d.Next(t); again.ID == m.ID {
		t.Fatalf("two messages have the id %q", m.ID)
	}
}

func (f *fixture) testQoS(t *testing.T) {
	from, _ := f.connect(t, unique("from"))
	to, d := f.connect(t, unique("to"))
	topic := unique("topic")
	for _, subscribed := range []byte{2, 0, 1} { // subscribing again changes the QoS
		wantOK(t, "subscribing", Subscribe(t, to, topic, subscribed))
		for qos := byte(0); qos <= 2; qos++ {
			wantOK(t, "publishing", Publish(t, from, topic, qos, "x"))
			if want, m := min(qos, subscribed, f.MaxQoS), d.Next(t); m.QoS != want {
				t.Fatalf("subscribed with QoS %d, published with QoS %d, delivered with QoS %d, want %d", subscribed,
					qos, m.QoS, want)
			}
		}
	}
}

func (f *fixture) testOwnPublishes(t *testing.T) {
	s, d := f.connect(t, unique("client"))
	topic := unique("topic")
	wantOK(t, "subscribing", Subscribe(t, s, topic, 1))
	wantOK(t, "publishing", Publish(t, s, topic, 1, "mine"))
	if m := d.Next(t); string(m.Payload) != "mine" {
		t.Fatalf("got %q", m.Payload)
	}
}

func (f *fixture) testWildcards(t *testing.T) {
	s, d := f.connect(t, unique("client"))
	root := unique("root")
	wantOK(t, "subscribing", Subscribe(t, s, root+"/+/x", 0))
	wantOK(t, "subscribing", Subscribe(t, s, root+"/deep/#", 0))
	for _, topic := range []string{"a/x", "deep", "deep/er/still", "b/x"} {
		wantOK(t, "publishing", Publish(t, s, root+"/"+topic, 1, topic))
		if m := d.Next(t); string(m.Payload) != topic {
			t.Fatalf("got %q, want %q", m.Payload, topic)
		}
	}
	for _, topic := range []string{"a/y", "a/x/z", "x", "deeper/x/y"} {
		wantOK(t, "publishing", Publish(t, s, root+"/"+topic, 1, topic))
	}
	wantOK(t, "publishing", Publish(t, s, root+"/fence/x", 1, "fence"))
	if m := d.Next(t); string(m.Payload) != "fence" {
		t.Fatalf("got %q, which no filter matches", m.Payload)
	}
}

func (f *fixture) testShared(t *testing.T) {
	topic, group := unique("topic"), unique("group")
	a, da := f.connect(t, unique("a"))
	if f.NoSharedSubscriptions {
		wantCode(t, "subscribing shared", Subscribe(t, a, "$share/"+group+"/"+topic, 1), gateway.CodeUnsupported)
		wantOK(t, "unsubscribing shared", Unsubscribe(t, a, "$share/"+group+"/"+topic))
		return
	}
	b, db := f.connect(t, unique("b"))
	for _, s := range []gateway.Session{a, b} {
		wantOK(t, "subscribing shared", Subscribe(t, s, "$share/"+group+"/"+topic, 1))
	}
	const n = 40
	for range n {
		wantOK(t, "publishing", Publish(t, a, topic, 1, "x"))
	}
	gatewaytest.Eventually(t, "all messages at the group", func() bool { return da.Unread()+db.Unread() >= n })
	wantOK(t, "unsubscribing shared", Unsubscribe(t, a, "$share/"+group+"/"+topic))
	had := da.Unread()
	for range n {
		wantOK(t, "publishing", Publish(t, a, topic, 1, "x"))
	}
	gatewaytest.Eventually(t, "all messages at the other one", func() bool { return da.Unread()+db.Unread() >= 2*n })
	if da.Unread() != had || da.Unread()+db.Unread() != 2*n {
		t.Fatalf("%d and %d messages, the first had %d when it left", da.Unread(), db.Unread(), had)
	}
}

func (f *fixture) testRetained(t *testing.T) {
	root := unique("retained")
	f.Retain(t, root+"/a", "kept")
	s, d := f.connect(t, unique("client"))
	for _, filter := range []string{root + "/a", root + "/+", root + "/#"} {
		wantOK(t, "subscribing", Subscribe(t, s, filter, 1))
		if m := d.Next(t); string(m.Payload) != "kept" || m.Topic != root+"/a" {
			t.Fatalf("%s: got %q on %q", filter, m.Payload, m.Topic)
		}
	}
}

func (f *fixture) testEmptyPayload(t *testing.T) {
	s, d := f.connect(t, unique("client"))
	topic := unique("topic")
	wantOK(t, "subscribing", Subscribe(t, s, topic, 1))
	for qos := byte(0); qos <= 2; qos++ {
		wantOK(t, "publishing nothing", Publish(t, s, topic, qos, ""))
		if m := d.Next(t); len(m.Payload) != 0 {
			t.Fatalf("got %q", m.Payload)
		}
	}
}

func (f *fixture) testLargePayload(t *testing.T) {
	s, d := f.connect(t, unique("client"))
	topic, large := unique("topic"), strings.Repeat("0123456789abcdef", 1<<16)
	wantOK(t, "subscribing", Subscribe(t, s, topic, 1))
	for qos := byte(0); qos <= 1; qos++ {
		wantOK(t, "publishing 1 MiB", Publish(t, s, topic, qos, large))
		if m := d.Next(t); string(m.Payload) != large {
			t.Fatalf("got %d other bytes", len(m.Payload))
		}
	}
}

// testPayloadReuse overwrites each payload once Publish has returned, as a connection does with its read buffer.
func (f *fixture) testPayloadReuse(t *testing.T) {
	s, d := f.connect(t, unique("client"))
	topic := unique("topic")
	wantOK(t, "subscribing", Subscribe(t, s, topic, 1))
	buf := make([]byte, 64)
	calls := make([]*Call, 0, 20)
	for i := range byte(20) {
		copy(buf, bytes.Repeat([]byte{i}, len(buf)))
		c := NewCall()
		s.Publish(topic, i%2, buf, nil, c.Done)
		calls = append(calls, c)
	}
	got := make(map[string]int)
	for _, c := range calls {
		wantOK(t, "publishing", c.Result(t))
		got[string(d.Next(t).Payload)]++ // in any order: MQTT guarantees it only within a QoS, MQTT 5, section 4.6
	}
	for i := range byte(20) {
		if n := got[string(bytes.Repeat([]byte{i}, len(buf)))]; n != 1 {
			t.Fatalf("message %d came %d times: %x", i, n, got)
		}
	}
}
