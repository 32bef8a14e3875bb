package embedded_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/connectors/mqtt"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// counting is a device that only counts.
type counting struct{ n, lost atomic.Int64 }

func (c *counting) Deliver(gateway.Message) bool { c.n.Add(1); return true }

func (c *counting) SessionLost(gateway.CloseReason) { c.lost.Add(1) }

func attach(t testing.TB, c gateway.Connector, clientID string) (gateway.Session, *counting) {
	t.Helper()
	d := &counting{}
	s, err := c.Connect(t.Context(), gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: clientID}}, "", d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, d
}

func overNetwork(t testing.TB, b *embedded.Broker) *mqtt.Connector {
	t.Helper()
	c, err := mqtt.New(mqtt.Config{URL: "mqtt://" + b.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(t.Context()) })
	return c
}

// TestNoDeadlock publishes 200,000 messages of QoS 1 in closed loops beside subscribers that ask for QoS 1 themselves,
// which deadlocks mochi as it comes. Every subscriber gets every message.
func TestNoDeadlock(t *testing.T) {
	publishers, each := 16, 12500
	if testing.Short() || raceEnabled {
		each = 1000
	}
	b := start(t, embedded.Config{Listener: listen(t)})
	network := overNetwork(t, b)
	var subscribers []*counting
	for i, c := range []gateway.Connector{network, network, b} {
		s, d := attach(t, c, fmt.Sprint("sub-", i))
		if r := connectortest.Subscribe(t, s, "load/#", 1); !r.Ok() {
			t.Fatal(r)
		}
		subscribers = append(subscribers, d)
	}
	var wg sync.WaitGroup
	for i := range publishers {
		s, _ := attach(t, network, fmt.Sprint("pub-", i))
		if r := connectortest.Subscribe(t, s, fmt.Sprint("load/", i), 1); !r.Ok() { // reads and writes at once
			t.Fatal(r)
		}
		wg.Go(func() {
			for range each {
				if r := connectortest.Publish(t, s, fmt.Sprint("load/", i), 1, "payload"); !r.Ok() {
					t.Errorf("publisher %d: %v", i, r)
					return
				}
			}
		})
	}
	wg.Wait()
	for i, d := range subscribers {
		gatewaytest.Eventually(t, fmt.Sprintf("all messages at subscriber %d", i), func() bool {
			return d.n.Load() == int64(publishers*each)
		})
		if d.lost.Load() != 0 {
			t.Errorf("subscriber %d lost its session", i)
		}
	}
}
