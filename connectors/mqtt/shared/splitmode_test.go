package shared

import (
	"log/slog"
	"testing"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
)

// TestSplitMode detects the broker's mode, and again after it has changed.
func TestSplitMode(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	s := newConnector(t, clienttest.Quick(b.URL()), Config{Connections: 1})
	m := brokertest.LogIn(t, s, "device")
	if s.mode.merges() {
		t.Fatal("a broker that sends a copy for each subscription is taken for one that merges")
	}
	b.Stop()
	b.Set(func() { b.Merges = true })
	b.Start(true)
	b.AwaitClients(t, 2)
	m.MustSubscribe(t, "a/b", 1)
	m.MustSubscribe(t, "a/+", 1)
	b.Flush(t, 2)
	if !s.mode.merges() {
		t.Fatal("a broker that merges is taken for one that sends a copy for each subscription")
	}
}

// TestSplitModeUnknown uses a broker that refuses the probe: devices can log in, and get the messages of a broker that
// merges.
func TestSplitModeUnknown(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	b.Merges = true
	b.Refused["exgate/control/probe/exgate/+"] = packets.SubackNotauthorized
	b.Refused["exgate/control/probe/exgate/#"] = packets.SubackNotauthorized
	cfg := clienttest.Quick(b.URL())
	cfg.Logger = slog.New(slog.DiscardHandler)
	s := newConnector(t, cfg, Config{Connections: 1})
	first, second := brokertest.LogIn(t, s, "first"), brokertest.LogIn(t, s, "second")
	first.MustSubscribe(t, "a/b", 1)
	second.MustSubscribe(t, "a/+", 1)
	b.Publish("a/b", "x", 1)
	first.Wants(t, "x")
	second.Wants(t, "x")
}
