package shared

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// openBroker returns a broker to open a connector with.
func openBroker(t testing.TB, cfg client.Config) *client.Broker {
	t.Helper()
	b, err := client.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// openConnector returns a connector, which is closed before the broker.
func openConnector(t testing.TB, b *client.Broker, cfg Config) *Connector {
	t.Helper()
	if cfg.Authenticator == nil {
		cfg.Authenticator = access.Everybody()
	}
	s, err := New(b, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newConnector returns a connector that is closed after the test.
func newConnector(t testing.TB, cfg client.Config, shared Config) *Connector {
	t.Helper()
	b := openBroker(t, cfg)
	s := openConnector(t, b, shared)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), brokertest.Patience)
		defer cancel()
		if err := errors.Join(s.Close(ctx), b.Leave(ctx)); err != nil {
			t.Error(err)
		}
	})
	return s
}

// awaitAsks waits until the shared connections have sent a memoryBroker exactly these requests.
func awaitAsks(t testing.TB, b *brokertest.MemoryBroker, want ...string) {
	t.Helper()
	gatewaytest.Eventually(t, "SUBSCRIBE and UNSUBSCRIBE: "+strings.Join(want, ", "), func() bool {
		return strings.Join(b.Asks(), ", ") == strings.Join(want, ", ")
	})
}

// wantNoRoutes waits until a connector has no routes.
func wantNoRoutes(t testing.TB, s *Connector) {
	t.Helper()
	gatewaytest.Eventually(t, "no route left", func() bool {
		for _, c := range s.conns {
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
	c := r.conn.client.State()
	return len(r.by)+len(r.ids)+len(r.stale)+r.wild.Len()+c.Filters+c.Waiting+c.Blocked == 0
}

func awaitFilters(t testing.TB, b *brokertest.MemoryBroker, want ...string) {
	t.Helper()
	gatewaytest.Eventually(t, "the broker to have the filters "+strings.Join(want, ", "),
		func() bool { return slices.Equal(b.Filters(), want) })
}

// TestSharedLots has two thousand devices log in, get their own message and a common one, and leave without a trace.
func TestSharedLots(t *testing.T) {
	const n = 2000
	b := mosquitto.Start(t, mosquitto.Options{})
	s := newConnector(t, clienttest.Quick(b.URL()), Config{})
	from := brokertest.LogIn(t, s, "from")
	before := runtime.NumGoroutine()
	var own, common atomic.Int32
	sessions, calls := make([]gateway.Session, n), make([]*connectortest.Call, 0, 2*n)
	for i := range n {
		device := took(func(m gateway.Message) {
			if m.Topic == "common" {
				common.Add(1)
			} else if m.Topic == fmt.Sprint("own/", i) {
				own.Add(1)
			}
		})
		var err error
		if sessions[i], err = brokertest.TryLogIn(s, fmt.Sprint("device-", i), device); err != nil {
			t.Fatal(err)
		}
		one, all := connectortest.NewCall(), connectortest.NewCall()
		sessions[i].Subscribe(fmt.Sprint("own/", i), 1, one.Done)
		sessions[i].Subscribe("common", 1, all.Done)
		calls = append(calls, one, all)
	}
	for _, call := range calls {
		if r := call.Result(t); !r.Ok() {
			t.Fatal(r)
		}
	}
	brokertest.Publish(t, from, "common", 1, "x")
	for i := range n {
		brokertest.Publish(t, from, fmt.Sprint("own/", i), 1, "x")
	}
	gatewaytest.Eventually(t, "a message of each kind for each device",
		func() bool { return own.Load() == n && common.Load() == n })
	for _, session := range sessions {
		session.Close()
	}
	wantNoRoutes(t, s)
	if left := s.all(); len(left) != 1 {
		t.Errorf("%d sessions are left", len(left))
	}
	gatewaytest.Eventually(t, "no more goroutines than before", func() bool { return runtime.NumGoroutine() <= before })
}

// took is a device that passes its messages to a function.
type took func(m gateway.Message)

func (f took) Deliver(m gateway.Message) bool {
	f(m)
	return true
}

func (took) SessionLost(gateway.CloseReason) {}

// stuckDevice is a device whose queue is full. Like a connection, it closes when it cannot take a QoS 1 or 2 message.
type stuckDevice struct {
	*connectortest.Device
	mu      sync.Mutex
	session gateway.Session // guarded by mu
}

func (f *stuckDevice) Deliver(m gateway.Message) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m.QoS > 0 {
		f.session.Close()
	}
	return false
}

// TestFullDevice connects stuck devices and a working one on one connection: the working one must get everything, and
// the broker its acknowledgements.
func TestFullDevice(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	s := newConnector(t, clienttest.Quick(b.URL()), Config{Connections: 1})
	m := brokertest.LogIn(t, s, "device")
	m.MustSubscribe(t, "t", 1)
	var stuck [2]*stuckDevice
	for qos := range stuck {
		f := &stuckDevice{Device: connectortest.NewDevice()}
		session, err := brokertest.TryLogIn(s, "full-"+strconv.Itoa(qos), f)
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		f.mu.Lock()
		f.session, stuck[qos] = session, f
		f.mu.Unlock()
		if r := connectortest.Subscribe(t, session, "t", byte(qos)); !r.Ok() {
			t.Fatal(r)
		}
	}
	const n = 3000 // more than the broker may send without acknowledgement
	for i := range n {
		b.Publish("t", strconv.Itoa(i), 1)
	}
	b.Flush(t, 2)
	for i := range n {
		m.Wants(t, strconv.Itoa(i))
	}
	if s.session("full-1") != nil || s.session("full-0") == nil {
		t.Error("the device with QoS 1 is to be closed, that with QoS 0 not")
	}
	if dropped := clienttest.Counted(t, s.broker, "dropped_total", "device_queue_full"); dropped != n+1 {
		t.Errorf("%v dropped messages are counted, want %d", dropped, n+1)
	}
}
