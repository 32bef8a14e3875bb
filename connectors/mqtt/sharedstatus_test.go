package mqtt

import (
	"testing"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// said are the payloads that were published to a topic.
func (b *memoryBroker) said(topic string) (payloads []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.taken {
		if p.Topic == topic {
			payloads = append(payloads, string(p.Payload))
		}
	}
	return payloads
}

// awaitLast waits until the last of what was published to a topic is payload.
func awaitLast(t testing.TB, b *memoryBroker, topic, payload string) {
	t.Helper()
	gatewaytest.Eventually(t, topic+" says "+payload, func() bool {
		said := b.said(topic)
		return len(said) > 0 && said[len(said)-1] == payload
	})
}

func withStatus(url, node string) Config {
	cfg := quick(url)
	cfg.Node, cfg.DeviceStatus = node, Status{Topic: "status/${clientid}", QoS: 1}
	return cfg
}

// TestSharedStatus says that a device is online, and that it is not when it has left and nobody else has its client id.
func TestSharedStatus(t *testing.T) {
	b := newMemoryBroker(t)
	x, y := newShared(t, withStatus(b.url(), "x"), SharedConfig{}), newShared(t, withStatus(b.url(), "y"), SharedConfig{})
	m := logIn(t, x, "device")
	awaitLast(t, b, "status/device", "online")
	m.Close()
	awaitLast(t, b, "status/device", "offline")
	before := len(b.said("status/device"))
	for range 3 {
		m = logIn(t, x, "device")
	}
	logIn(t, y, "device")
	wantDiscarded(t, m)
	publish(t, logIn(t, x, "other"), "end", 1, "")
	gatewaytest.Eventually(t, "four logins told", func() bool { return len(b.said("status/device")) >= before+4 })
	for _, said := range b.said("status/device")[before:] {
		if said != "online" {
			t.Fatalf("the status is %v", b.said("status/device")[before:])
		}
	}
}

// TestSharedStatusAtClose says of all devices that they are offline.
func TestSharedStatusAtClose(t *testing.T) {
	b := newMemoryBroker(t)
	base := newConnector(t, withStatus(b.url(), "x"))
	s, err := base.Shared(SharedConfig{Authenticator: access.Everybody()})
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{"a", "b", "c", "d"}
	for _, id := range ids {
		logIn(t, s, id)
		awaitLast(t, b, "status/"+id, "online")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		awaitLast(t, b, "status/"+id, "offline")
	}
}

// TestSharedStatusAgain says who is online to a broker that has forgotten it, and of QoS 0 also what it missed.
func TestSharedStatusAgain(t *testing.T) {
	b := newMemoryBroker(t)
	cfg := withStatus(b.url(), "x")
	cfg.DeviceStatus.QoS = 0
	s := newShared(t, cfg, SharedConfig{})
	logIn(t, s, "early")
	awaitLast(t, b, "status/early", "online")
	for _, c := range s.carriers { // the first login waits only for its own
		<-c.up
	}
	b.stop()
	for _, c := range s.carriers {
		awaitDown(t, &c.client)
	}
	logIn(t, s, "late")
	b.set(func() { b.taken = nil })
	b.start(true)
	awaitLast(t, b, "status/early", "online")
	awaitLast(t, b, "status/late", "online")
}
