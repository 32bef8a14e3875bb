package shared

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"pgregory.net/rapid"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/runtime/gateway"
)

// minimizing is a testing.TB whose failures let rapid look for a smaller example.
type minimizing struct {
	testing.TB
	t *rapid.T
}

func (m minimizing) Fatalf(format string, args ...any) { m.t.Fatalf(format, args...) }
func (m minimizing) Fatal(args ...any)                 { m.t.Fatal(args...) }

const (
	modelConns    = 2
	refusedFilter = "no/+"
)

var (
	modelFilters = []string{"a", "a/b", "a/+", "a/#", "+/b", "#", refusedFilter}
	modelTopics  = []string{"a", "a/b", "a/c", "c/b", "c/d"}
)

// routeModel is a connector, its broker, and the expected subscriptions as a plain map.
type routeModel struct {
	t        testing.TB
	broker   *brokertest.MemoryBroker
	base     *client.Broker
	shared   *Connector
	devices  map[string]*modelDevice
	calls    []*connectortest.Call // calls to be answered when the broker is up
	messages int
}

type modelDevice struct {
	*brokertest.Member
	filters map[string]byte // QoS by filter
}

func newRouteModel(t *testing.T, rt *rapid.T) *routeModel {
	m := &routeModel{t: minimizing{t, rt}, broker: brokertest.NewMemoryBroker(t), devices: map[string]*modelDevice{}}
	m.broker.Merges = rapid.Bool().Draw(rt, "merges")
	m.broker.Refused[refusedFilter] = packets.SubackNotauthorized
	cfg := client.Config{URL: m.broker.URL(), ReconnectDelay: time.Millisecond, Logger: slog.New(slog.DiscardHandler)}
	var err error
	if m.base, err = client.Open(cfg); err != nil {
		rt.Fatal(err)
	}
	if m.shared, err = New(m.base, Config{
		Authenticator: access.Everybody(),
		Connections:   modelConns,
	}); err != nil {
		rt.Fatal(err)
	}
	rt.Cleanup(m.close)
	m.login("device-0")
	m.broker.AwaitClients(m.t, modelConns+1)
	return m
}

func (m *routeModel) close() {
	ctx, cancel := context.WithTimeout(context.Background(), brokertest.Patience)
	defer cancel()
	if err := m.shared.Close(ctx); err != nil {
		m.t.Fatal(err)
	}
	if err := m.base.Leave(ctx); err != nil {
		m.t.Fatal(err)
	}
	m.broker.Close()
}

func drawDevice(t *rapid.T) string {
	return rapid.SampledFrom([]string{"device-0", "device-1", "device-2"}).Draw(t, "device")
}

func drawFilter(t *rapid.T) string { return rapid.SampledFrom(modelFilters).Draw(t, "filter") }

func (m *routeModel) login(id string) {
	old := m.devices[id]
	d := &modelDevice{Member: &brokertest.Member{Device: connectortest.NewDevice(), ID: id}, filters: map[string]byte{}}
	session, err := brokertest.TryLogIn(m.shared, id, d.Device)
	if err != nil {
		m.t.Fatal(err)
	}
	d.Session = session
	m.devices[id] = d
	if old != nil && !old.Lost(m.t).Is(gateway.ReasonDiscarded) {
		m.t.Fatalf("%s was lost for another reason than its new login", id)
	}
}

// Login begins a session and ends the previous one.
func (m *routeModel) Login(t *rapid.T) { m.login(drawDevice(t)) }

// Leave ends a session.
func (m *routeModel) Leave(t *rapid.T) {
	id := drawDevice(t)
	if d := m.devices[id]; d != nil {
		d.Close()
		delete(m.devices, id)
	}
}

// Kick logs a device in at another gateway.
func (m *routeModel) Kick(t *rapid.T) {
	id := drawDevice(t)
	d := m.devices[id]
	if d == nil {
		return
	}
	m.shared.control.compare("elsewhere", claim{id, m.shared.session(id).epoch + 1})
	if !d.Lost(m.t).Is(gateway.ReasonDiscarded) {
		t.Fatalf("%s is not discarded", id)
	}
	delete(m.devices, id)
}

// Subscribe does not wait for the result.
func (m *routeModel) Subscribe(t *rapid.T) {
	d, filter, qos := m.devices[drawDevice(t)], drawFilter(t), byte(rapid.IntRange(0, 1).Draw(t, "qos"))
	if d == nil {
		return
	}
	call := connectortest.NewCall()
	m.calls = append(m.calls, call)
	d.Session.Subscribe(filter, qos, call.Done)
	if filter != refusedFilter {
		d.filters[filter] = qos
	}
}

// Unsubscribe does not wait for the result.
func (m *routeModel) Unsubscribe(t *rapid.T) {
	d, filter := m.devices[drawDevice(t)], drawFilter(t)
	if d == nil {
		return
	}
	call := connectortest.NewCall()
	m.calls = append(m.calls, call)
	d.Session.Unsubscribe(filter, call.Done)
	delete(d.filters, filter)
}

// Cut loses the connections.
func (m *routeModel) Cut(*rapid.T) { m.broker.Cut() }

// Stop stops the broker, and waits until that is noticed.
func (m *routeModel) Stop(*rapid.T) {
	m.broker.Stop()
	for _, c := range m.shared.conns {
		clienttest.AwaitDown(m.t, c.client)
	}
}

// Start starts the broker, with or without its state.
func (m *routeModel) Start(t *rapid.T) { m.broker.Start(rapid.Bool().Draw(t, "forget")) }

// Check expects the broker to have the devices' subscriptions, and each message to reach exactly the subscribed
// devices.
func (m *routeModel) Check(*rapid.T) {
	m.broker.Start(false)
	for _, call := range m.calls {
		call.Result(m.t)
		if call.Times() != 1 {
			m.t.Fatalf("done was called %d times", call.Times())
		}
	}
	m.calls = nil
	m.broker.AwaitClients(m.t, modelConns+1)
	want := map[string]struct{}{}
	for _, d := range m.devices {
		for filter := range d.filters {
			want[filter] = struct{}{}
		}
	}
	sorted := slices.Sorted(maps.Keys(want))
	awaitFilters(m.t, m.broker, sorted...)
	for _, topic := range modelTopics {
		m.checkTopic(topic)
	}
}

func (m *routeModel) checkTopic(topic string) {
	m.messages++
	payload := strconv.Itoa(m.messages)
	m.broker.Publish(topic, payload, 1)
	m.broker.Flush(m.t, modelConns+1)
	for id, d := range m.devices {
		least, most := m.copies(d, topic)
		got := d.Unread()
		if got < least || got > most {
			m.t.Fatalf("%s with %v got %d copies of a message to %s", id, d.filters, got, topic)
		}
		for range got {
			d.Wants(m.t, payload)
		}
		if d.Losses() > 0 {
			m.t.Fatalf("%s was lost: %v", id, d.Lost(m.t))
		}
	}
}

// copies returns how many copies a device may get: one for each matching filter or, if the broker merges them, one from
// each connection.
func (m *routeModel) copies(d *modelDevice, topic string) (least, most int) {
	from := map[*conn]bool{}
	for filter := range d.filters {
		if brokertest.TopicMatches(filter, topic) {
			from[m.shared.connFor(filter)] = true
			most++
		}
	}
	if m.broker.Merges {
		most = len(from)
	}
	return min(1, most), most
}

// TestRouteModel performs random actions of devices, other gateways and brokers.
func TestRouteModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newRouteModel(t, rt)
		rt.Repeat(map[string]func(*rapid.T){
			"Login": m.Login, "Leave": m.Leave, "Kick": m.Kick, "Subscribe": m.Subscribe, "SubscribeMore": m.Subscribe,
			"Unsubscribe": m.Unsubscribe,
			"Cut":         m.Cut, "Stop": m.Stop, "Start": m.Start, "Check": m.Check,
		})
		m.Check(rt)
	})
}
