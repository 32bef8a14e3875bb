package mqtt

import (
	"log/slog"
	"testing"

	"github.com/eclipse/paho.golang/packets"
)

// TestSplitMode detects the broker's mode, and again after it has changed.
func TestSplitMode(t *testing.T) {
	b := newMemoryBroker(t)
	s := newShared(t, quick(b.url()), SharedConfig{Connections: 1})
	m := logIn(t, s, "device")
	if s.mode.merges() {
		t.Fatal("a broker that sends a copy for each subscription is taken for one that merges")
	}
	b.stop()
	b.set(func() { b.merges = true })
	b.start(true)
	b.awaitClients(t, 2)
	m.subscribe(t, "a/b", 1)
	m.subscribe(t, "a/+", 1)
	b.flush(t, 2)
	if !s.mode.merges() {
		t.Fatal("a broker that merges is taken for one that sends a copy for each subscription")
	}
}

// TestSplitModeUnknown uses a broker that refuses the probe: devices can log in, and get the messages of a broker that
// merges.
func TestSplitModeUnknown(t *testing.T) {
	b := newMemoryBroker(t)
	b.merges = true
	b.refused["exgate/control/probe/exgate/+"] = packets.SubackNotauthorized
	b.refused["exgate/control/probe/exgate/#"] = packets.SubackNotauthorized
	cfg := quick(b.url())
	cfg.Logger = slog.New(slog.DiscardHandler)
	s := newShared(t, cfg, SharedConfig{Connections: 1})
	first, second := logIn(t, s, "first"), logIn(t, s, "second")
	first.subscribe(t, "a/b", 1)
	second.subscribe(t, "a/+", 1)
	b.publish("a/b", "x", 1)
	first.wants(t, "x")
	second.wants(t, "x")
}
