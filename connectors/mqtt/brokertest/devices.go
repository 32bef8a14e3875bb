package brokertest

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/runtime/gateway"
)

// Unit replaces the second of Config.ReconnectDelay, so that the tests are fast.
const Unit = 20 * time.Millisecond

// Patience bounds waiting for what must happen, as in connectortest.
const Patience = 90 * time.Second

// Connect logs a device in.
func Connect(t testing.TB, c gateway.Connector, clientID string) (gateway.Session, *connectortest.Device) {
	t.Helper()
	return Login(t, c, clientID, "", "")
}

// Login logs a device in with a username and a password.
func Login(t testing.TB, c gateway.Connector, clientID, username, password string) (
	gateway.Session, *connectortest.Device,
) {
	t.Helper()
	d := connectortest.NewDevice()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	s, err := c.Connect(ctx, gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: clientID, Username: username}},
		password, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, d
}

// LoginTo logs a device of a listener in.
func LoginTo(t *testing.T, c gateway.Connector, id, listener string) gateway.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	device := gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: id}, Listener: listener}
	s, err := c.Connect(ctx, device, "", connectortest.NewDevice())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Member is a device of a connector, for tests with many devices.
type Member struct {
	gateway.Session
	*connectortest.Device
	ID string
}

// LogIn connects a device.
func LogIn(t testing.TB, c gateway.Connector, id string) *Member {
	t.Helper()
	m := &Member{Device: connectortest.NewDevice(), ID: id}
	var err error
	if m.Session, err = TryLogIn(c, id, m.Device); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// TryLogIn is LogIn for a login that may be refused.
func TryLogIn(c gateway.Connector, id string, down gateway.Downlink) (gateway.Session, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	return c.Connect(ctx, gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: id, Username: id}}, "", down)
}

// MustSubscribe expects the subscription to be granted.
func (m *Member) MustSubscribe(t testing.TB, filter string, qos byte) {
	t.Helper()
	if r := connectortest.Subscribe(t, m, filter, qos); !r.Ok() {
		t.Fatalf("%s subscribes to %s: %v", m.ID, filter, r)
	}
}

// Wants expects the next messages of the device to have these payloads.
func (m *Member) Wants(t testing.TB, payloads ...string) {
	t.Helper()
	for _, want := range payloads {
		if got := m.Next(t); string(got.Payload) != want {
			t.Fatalf("%s gets %s %q, want %q", m.ID, got.Topic, got.Payload, want)
		}
	}
}

// WantsNoMore expects no further message.
func (m *Member) WantsNoMore(t testing.TB) {
	t.Helper()
	if n := m.Unread(); n > 0 {
		t.Fatalf("%s gets %d more messages, the first of them %q", m.ID, n, m.Next(t).Payload)
	}
}

// Publish expects the broker to accept the message.
func Publish(t testing.TB, from *Member, topic string, qos byte, payload string) {
	t.Helper()
	if r := connectortest.Publish(t, from, topic, qos, payload); !r.Ok() {
		t.Fatalf("publishing to %s: %v", topic, r)
	}
}

// PublishNumbers publishes numbers, alternating between QoS 1 and 2, and expects each to be stored.
func PublishNumbers(t *testing.T, s gateway.Session, from, to int) {
	t.Helper()
	calls := make([]*connectortest.Call, 0, to-from)
	for i := from; i < to; i++ {
		c := connectortest.NewCall()
		s.Publish("t", byte(1+i%2), []byte(strconv.Itoa(i)), nil, c.Done)
		calls = append(calls, c)
	}
	for i, c := range calls {
		if r := c.Result(t); !r.Ok() {
			t.Fatalf("publish %d: %v", from+i, r)
		}
	}
}

// WantNumbers expects the numbers, in order of their first arrivals.
func WantNumbers(t *testing.T, d *connectortest.Device, from, to int) {
	t.Helper()
	for next := from; next < to; {
		i, err := strconv.Atoi(string(d.Next(t).Payload))
		switch {
		case err != nil || i > next:
			t.Fatalf("got %d, want %d: something is missing or has overtaken it", i, next)
		case i == next:
			next++
		}
	}
}

// WantDiscarded expects the device to be closed because its client id logged in elsewhere.
func WantDiscarded(t testing.TB, m *Member) {
	t.Helper()
	if r := m.Lost(t); !r.Is(gateway.ReasonDiscarded) {
		t.Fatalf("%s: %v", m.ID, r)
	}
}

// DialBy has a connector refuse a login, and returns its error.
func DialBy(t *testing.T, c gateway.Connector) error {
	t.Helper()
	_, err := c.Connect(t.Context(), gateway.Device{ClientInfo: gateway.ClientInfo{
		ClientID: "c",
		Username: "u",
	}}, "hidden-password", connectortest.NewDevice())
	if err == nil {
		t.Fatal("connected")
	}
	if strings.Contains(err.Error(), "hidden-password") {
		t.Fatalf("the error has the password: %v", err)
	}
	return err
}

// Listen subscribes a device "listener".
func Listen(t *testing.T, c gateway.Connector, filter string) *connectortest.Device {
	t.Helper()
	s, d := Connect(t, c, "listener")
	if r := connectortest.Subscribe(t, s, filter, 1); !r.Ok() {
		t.Fatal(r)
	}
	return d
}
