package connectortest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// patience limits every wait of the suite; only a failing test waits that long. It is longer than the longest reconnect
// delay of a connector, which a slow machine may reach while a test has stopped the broker.
const patience = 90 * time.Second

// Device is a [gateway.Downlink] that records its messages and losses.
type Device struct {
	mu       sync.Mutex
	messages []gateway.Message
	taken    int
	lost     []gateway.CloseReason
	changed  chan struct{} // closed and replaced at each change
}

var _ gateway.Downlink = (*Device)(nil)

// NewDevice returns an empty Device.
func NewDevice() *Device { return &Device{changed: make(chan struct{})} }

// Deliver records m.
func (d *Device) Deliver(m gateway.Message) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.messages = append(d.messages, m)
	d.wake()
	return true
}

// SessionLost records reason.
func (d *Device) SessionLost(reason gateway.CloseReason) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lost = append(d.lost, reason)
	d.wake()
}

func (d *Device) wake() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// Next waits for the next message.
func (d *Device) Next(t testing.TB) gateway.Message {
	t.Helper()
	d.await(t, "a message", func() bool { return len(d.messages) > d.taken })
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken++
	return d.messages[d.taken-1]
}

// Unread returns the number of messages that Next has not returned yet.
func (d *Device) Unread() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.messages) - d.taken
}

// AwaitUnread waits until at least n messages are unread.
func (d *Device) AwaitUnread(t testing.TB, n int) {
	t.Helper()
	d.await(t, "messages", func() bool { return len(d.messages)-d.taken >= n })
}

// Lost waits for the end of the session and returns its reason.
func (d *Device) Lost(t testing.TB) gateway.CloseReason {
	t.Helper()
	d.await(t, "the loss of the session", func() bool { return len(d.lost) > 0 })
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lost[0]
}

// Losses returns how often SessionLost was called.
func (d *Device) Losses() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.lost)
}

// await waits until done, which is called with mu held, returns true.
func (d *Device) await(t testing.TB, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		d.mu.Lock()
		ok, changed, have := done(), d.changed, len(d.messages)-d.taken
		d.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("timed out after %v waiting for %s (%d unread messages)", patience, what, have)
		}
	}
}
