package connectortest

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
)

// Target is a connector and the setup of its broker.
type Target struct {
	// New returns a connector to a running broker. Run closes it.
	New func(t *testing.T) gateway.Connector

	// Username and Password are accepted by the broker. If empty, clients connect without credentials.
	Username, Password string

	// WrongPassword is refused by the broker. If empty, the broker accepts every password.
	WrongPassword string

	// DeniedTopic is a topic that clients may neither publish nor subscribe to. If empty, the broker allows everything.
	DeniedTopic string

	// MaxQoS is the highest QoS that the broker grants to subscribers. If zero, every message is delivered with QoS 0.
	MaxQoS byte

	// NoSharedSubscriptions says that the connector refuses filters that begin with $share.
	NoSharedSubscriptions bool

	// Retain stores a retained message at the broker.
	Retain func(t *testing.T, topic, payload string)
}

type fixture struct {
	Target
	connector gateway.Connector
}

func (f *fixture) connect(t *testing.T, clientID string) (gateway.Session, *Device) {
	t.Helper()
	d := NewDevice()
	s, err := f.dial(t, clientID, f.Password, d)
	if err != nil {
		t.Fatalf("connecting %s: %v", clientID, err)
	}
	t.Cleanup(s.Close)
	return s, d
}

func (f *fixture) dial(t *testing.T, clientID, password string, d *Device) (gateway.Session, error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return f.connector.Connect(ctx, gateway.Device{ClientInfo: gateway.ClientInfo{
		ClientID: clientID,
		Username: f.Username,
	}}, password, d)
}

// unique returns a name that no other test uses: the broker outlives subtests.
func unique(prefix string) string { return prefix + "-" + rand.Text()[:10] }

func refusal(t *testing.T, err error) gateway.Result {
	t.Helper()
	var refused *gateway.ResultError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want a ResultError", err)
	}
	return refused.Result
}
