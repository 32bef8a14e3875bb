package mqtt

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"

	"github.com/exgate/exgate/connectors/mqtt/wire"
)

// publish is a message from somebody else.
func (b *memoryBroker) publish(name, payload string, qos byte) {
	b.set(func() { b.spread(name, payload, qos) })
}

// cut ends all connections.
func (b *memoryBroker) cut() {
	b.set(func() {
		for _, s := range b.sessions {
			s.peer = nil
		}
	})
	b.scripted.mu.Lock()
	defer b.scripted.mu.Unlock()
	for _, p := range b.peers {
		_ = p.Close()
	}
}

// stop ends all connections, and each that comes until start.
func (b *memoryBroker) stop() {
	b.set(func() { b.down = true })
	b.cut()
}

// start takes connections again. The sessions of clients are gone where it is to forget them.
func (b *memoryBroker) start(forget bool) {
	b.set(func() {
		if forget && b.down {
			clear(b.sessions)
		}
		b.down = false
	})
}

// asks are the SUBSCRIBEs and UNSUBSCRIBEs of the carriers so far.
func (b *memoryBroker) asks() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.asked), func(a string) bool { return strings.Contains(a, " exgate/control") })
}

// filters are those of the carriers, sorted.
func (b *memoryBroker) filters() (all []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, s := range b.sessions {
		if strings.Contains(id, "-shared-") {
			all = slices.AppendSeq(all, maps.Keys(s.filters))
		}
	}
	slices.Sort(all)
	return all
}

// awaitClients waits until n clients beside the prober are connected and have acknowledged everything.
func (b *memoryBroker) awaitClients(t testing.TB, n int) {
	t.Helper()
	gatewaytest.Eventually(t, fmt.Sprintf("%d clients without anything under way", n), func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		connected := 0
		for id, s := range b.sessions {
			if s.peer != nil && !strings.HasSuffix(id, "-suspects") && len(s.unacked) == 0 {
				connected++
			}
		}
		return connected == n
	})
}

// flush waits until the connectors have handed out everything that was sent to them.
func (b *memoryBroker) flush(t testing.TB, clients int) {
	t.Helper()
	b.set(func() {
		for _, s := range b.sessions {
			s.send(wire.Publication{Topic: "$nobody", QoS: 1}, maxSubscription)
		}
	})
	b.awaitClients(t, clients)
}
