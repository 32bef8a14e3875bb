package mqtt

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// member is a device of a connector, for tests with many.
type member struct {
	gateway.Session
	*connectortest.Device
	id string
}

// logIn connects a device.
func logIn(t testing.TB, c gateway.Connector, id string) *member {
	t.Helper()
	m := &member{Device: connectortest.NewDevice(), id: id}
	var err error
	if m.Session, err = tryLogIn(c, id, m.Device); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func tryLogIn(c gateway.Connector, id string, down gateway.Downlink) (gateway.Session, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.Connect(ctx, gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: id, Username: id}}, "", down)
}

// subscribe wants the subscription granted.
func (m *member) subscribe(t testing.TB, filter string, qos byte) {
	t.Helper()
	if r := connectortest.Subscribe(t, m, filter, qos); !r.Ok() {
		t.Fatalf("%s subscribes to %s: %v", m.id, filter, r)
	}
}

// wants the next messages of the device to have these payloads.
func (m *member) wants(t testing.TB, payloads ...string) {
	t.Helper()
	for _, want := range payloads {
		if got := m.Next(t); string(got.Payload) != want {
			t.Fatalf("%s gets %s %q, want %q", m.id, got.Topic, got.Payload, want)
		}
	}
}

// wantsNoMore wants that no message is left.
func (m *member) wantsNoMore(t testing.TB) {
	t.Helper()
	if n := m.Unread(); n > 0 {
		t.Fatalf("%s gets %d more messages, the first of them %q", m.id, n, m.Next(t).Payload)
	}
}

// awaitAsks waits until the carriers have asked a memoryBroker for exactly this.
func awaitAsks(t testing.TB, b *memoryBroker, want ...string) {
	t.Helper()
	gatewaytest.Eventually(t, "SUBSCRIBE and UNSUBSCRIBE: "+strings.Join(want, ", "), func() bool {
		return strings.Join(b.asks(), ", ") == strings.Join(want, ", ")
	})
}

// wantNoRoutes waits until nothing is left of the routes of a connector.
func wantNoRoutes(t testing.TB, s *Shared) {
	t.Helper()
	gatewaytest.Eventually(t, "no route left", func() bool {
		for _, c := range s.carriers {
			if !c.routes.isEmpty() {
				return false
			}
		}
		return true
	})
}

func (r *routes) isEmpty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.carrier.client.mu.Lock()
	defer r.carrier.client.mu.Unlock()
	return len(r.by)+len(r.ids)+len(r.stale)+r.wild.Len()+len(r.carrier.filters)+len(r.carrier.waiting)+len(r.carrier.blocked) == 0
}

// awaitDown waits until a client has noticed that its connection is lost.
func awaitDown(t testing.TB, c *client) {
	t.Helper()
	gatewaytest.Eventually(t, "the loss to be noticed", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.link == nil
	})
}

func awaitFilters(t testing.TB, b *memoryBroker, want ...string) {
	t.Helper()
	gatewaytest.Eventually(t, "the broker to have the filters "+strings.Join(want, ", "), func() bool { return slices.Equal(b.filters(), want) })
}
