package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// fullDevice takes nothing, and closes its session inside Deliver as a connection may.
type fullDevice struct {
	session gateway.Session
}

func (d *fullDevice) Deliver(gateway.Message) bool {
	d.session.Close()
	return false
}

func (d *fullDevice) SessionLost(gateway.CloseReason) {}

func TestFullDevice(t *testing.T) {
	m := embedded.NewMetrics(nil)
	b := start(t, embedded.Config{Metrics: m})
	d := &fullDevice{}
	s, err := b.Connect(t.Context(), gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "full"}}, "", d)
	if err != nil {
		t.Fatal(err)
	}
	d.session = s
	other, od := connect(t, b, "other")
	for _, each := range []gateway.Session{s, other} {
		if r := connectortest.Subscribe(t, each, "t", 1); !r.Ok() {
			t.Fatal(r)
		}
	}
	if r := connectortest.Publish(t, other, "t", 0, "x"); !r.Ok() {
		t.Fatal(r)
	}
	od.Next(t)
	if n := m.Dropped(embedded.DropDeviceFull); n != 1 {
		t.Fatalf("%v drops counted", n)
	}
}

func connect(t testing.TB, b gateway.Connector, clientID string) (gateway.Session, *connectortest.Device) {
	t.Helper()
	d := connectortest.NewDevice()
	s, err := b.Connect(t.Context(), gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: clientID}}, "", d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, d
}

// TestMessageOrigin checks what MQTT does not transport: the client id of the publisher.
func TestMessageOrigin(t *testing.T) {
	b := start(t, embedded.Config{})
	from, _ := connect(t, b, "publisher")
	to, d := connect(t, b, "subscriber")
	if r := connectortest.Subscribe(t, to, "t", 2); !r.Ok() {
		t.Fatal(r)
	}
	for qos := byte(0); qos <= 2; qos++ {
		connectortest.Publish(t, from, "t", qos, "x")
		if m := d.Next(t); m.From != "publisher" || m.QoS != qos {
			t.Fatalf("got QoS %d from %q, want %d", m.QoS, m.From, qos)
		}
	}
}

// TestOverlap delivers a message once to a device with two filters that match.
func TestOverlap(t *testing.T) {
	b := start(t, embedded.Config{})
	s, d := connect(t, b, "device")
	for _, filter := range []string{"a/+", "a/#", "a/b", "a/b"} {
		connectortest.Subscribe(t, s, filter, 0)
	}
	connectortest.Publish(t, s, "a/b", 0, "x")
	if n := d.Unread(); n != 1 {
		t.Fatalf("%d copies", n)
	}
}

func TestSubscriptionLimit(t *testing.T) {
	b := start(t, embedded.Config{})
	s, _ := connect(t, b, "device")
	for i := range 1024 {
		if r := connectortest.Subscribe(t, s, fmt.Sprint("t/", i), 0); !r.Ok() {
			t.Fatal(r)
		}
	}
	if r := connectortest.Subscribe(t, s, "more", 0); r.Code != gateway.CodeLimit {
		t.Fatal(r)
	}
	s.Close()
	if n := b.Filters(); n != 0 {
		t.Fatalf("%d filters are left", n)
	}
}

func TestBadClientID(t *testing.T) {
	b := start(t, embedded.Config{})
	for _, id := range []string{"", "a\x00b", "\xff"} {
		_, err := b.Connect(t.Context(), gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: id}}, "",
			connectortest.NewDevice())
		var refused *gateway.ResultError
		if !errors.As(err, &refused) || refused.Result.Code != gateway.CodeParamsTypeError {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestReservedTopics(t *testing.T) {
	b := start(t, embedded.Config{})
	s, _ := connect(t, b, "device")
	for _, name := range []string{"$SYS/broker/version", "$sys/x"} {
		if r := connectortest.Publish(t, s, name, 1, "forged"); r.Code != gateway.CodePermissionDeny {
			t.Errorf("%s: %v", name, r)
		}
	}
}

func TestCloseEndsSessions(t *testing.T) {
	b, err := embedded.New(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if b.Addr() != nil {
		t.Fatalf("listens on %v", b.Addr())
	}
	_, d := connect(t, b, "device")
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if r := d.Lost(t); !r.Is(gateway.ReasonShutdown) {
		t.Fatal(r)
	}
	if _, err := b.Connect(t.Context(), gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "late"}}, "",
		connectortest.NewDevice()); err == nil {
		t.Fatal("connected to a closed broker")
	}
}

// BenchmarkPublish is one device to one device.
func BenchmarkPublish(b *testing.B) {
	broker := start(b, embedded.Config{})
	from, _ := attach(b, broker, "from")
	to, d := attach(b, broker, "to")
	connectortest.Subscribe(b, to, "bench/topic", 0)
	payload := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		from.Publish("bench/topic", 0, payload, nil, nil)
	}
	if d.n.Load() != int64(b.N) {
		b.Fatalf("%d of %d messages", d.n.Load(), b.N)
	}
}

// BenchmarkIdleSession reports what an authenticated idle session costs, without and with a subscription.
func BenchmarkIdleSession(b *testing.B) {
	for _, subscribe := range []bool{false, true} {
		b.Run(fmt.Sprint("subscribed ", subscribe), func(b *testing.B) {
			const n = 10000
			for b.Loop() {
				broker := start(b, embedded.Config{})
				before, goroutines := gatewaytest.MemoryInUse(), runtime.NumGoroutine()
				for i := range n {
					s, _ := broker.Connect(b.Context(),
						gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: fmt.Sprint("idle-",
							i)}}, "", &counting{})
					if subscribe {
						s.Subscribe(fmt.Sprint("devices/", i, "/down"), 1, nil)
					}
				}
				b.ReportMetric(float64(gatewaytest.MemoryInUse()-before)/n, "B/session")
				b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
				runtime.KeepAlive(broker)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// TestQoSOfSeveralFilters asks for the highest QoS of the filters that match, in one copy, also from a shared
// subscription.
func TestQoSOfSeveralFilters(t *testing.T) {
	b := start(t, embedded.Config{})
	s, d := connect(t, b, "device")
	for filter, qos := range map[string]byte{"t/#": 0, "t/+": 1, "u": 2, "$share/g/s": 1} {
		if r := connectortest.Subscribe(t, s, filter, qos); !r.Ok() {
			t.Fatal(r)
		}
	}
	for _, c := range []struct {
		topic           string
		published, want byte
	}{{"t/x", 2, 1}, {"t/x", 0, 0}, {"t/x/y", 2, 0}, {"u", 2, 2}, {"s", 2, 1}, {"s", 0, 0}} {
		if r := connectortest.Publish(t, s, c.topic, c.published, "x"); !r.Ok() {
			t.Fatal(r)
		}
		if m := d.Next(t); m.Topic != c.topic || m.QoS != c.want {
			t.Errorf("%s, published with QoS %d: got %s with QoS %d, want %d", c.topic, c.published, m.Topic, m.QoS,
				c.want)
		}
	}
	if n := d.Unread(); n != 0 {
		t.Errorf("%d copies too many", n)
	}
}
