package connectortest

import (
	"fmt"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// PublishWith publishes a message with properties and waits for the result.
func PublishWith(t testing.TB, s gateway.Session, topic string, qos byte, payload string,
	props *gateway.Properties,
) gateway.Result {
	t.Helper()
	c := NewCall()
	s.Publish(topic, qos, []byte(payload), props, c.Done)
	return c.Result(t)
}

// testProperties expects subscribers, and those that subscribe later, to get what was published, and a message without
// properties to have none.
func (f *fixture) testProperties(t *testing.T) {
	from, _ := f.connect(t, unique("from"))
	to, d := f.connect(t, unique("to"))
	topic := unique("topic")
	wantOK(t, "subscribing", Subscribe(t, to, topic, 1))
	// HiveMQ looks for retained messages after its SUBACK, and finds those that are published meanwhile, too.
	wantOK(t, "publishing", Publish(t, from, topic, 1, "first"))
	d.Next(t)
	props := gateway.Properties{
		Retain: true, Expiry: 3600, ContentType: "text/plain", ResponseTopic: topic + "/answer",
		Correlation: []byte{0, 1, 0xff}, User: []gateway.Property{{Name: "a", Value: "ä"}, {Name: "a"}, {Name: "b"}},
	}
	for qos := byte(0); qos <= 2; qos++ {
		wantOK(t, fmt.Sprintf("publishing with QoS %d", qos), PublishWith(t, from, topic, qos, "x", &props))
		live := props
		live.Retain = false
		wantProperties(t, d.Next(t), live)
		wantOK(t, "publishing", Publish(t, from, topic, qos, "plain"))
		if m := d.Next(t); m.Properties != nil {
			t.Fatalf("a message without properties has %v", m.Properties)
		}
	}
	late, kept := f.connect(t, unique("late"))
	gatewaytest.Eventually(t, "the retained message", func() bool {
		wantOK(t, "subscribing", Subscribe(t, late, topic, 1))
		defer Unsubscribe(t, late, topic)
		return kept.Unread() > 0
	})
	wantProperties(t, kept.Next(t), props)
	wantOK(t, "removing", PublishWith(t, from, topic, 1, "", &gateway.Properties{Retain: true}))
}

// wantProperties accepts a lower expiry: the message has been at the broker for a while.
func wantProperties(t *testing.T, m gateway.Message, want gateway.Properties) {
	t.Helper()
	got := m.Properties.Clone()
	if got != nil && got.Expiry > 0 && got.Expiry <= want.Expiry {
		got.Expiry = want.Expiry
	}
	if got.String() != want.String() {
		t.Fatalf("got %v, want %v", got, &want)
	}
}
