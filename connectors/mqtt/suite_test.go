package mqtt

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/brokers"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/connectors/mqtt/shared"
	"github.com/exgate/exgate/runtime/gateway"
)

func newConnector(t testing.TB, cfg client.Config) *Connector {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), brokertest.Patience)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestSuiteMosquitto(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{
		Users: map[string]string{"device": "secret"}, Dynamic: true, Denied: []string{"denied/topic"},
	})
	connectortest.Run(t, connectortest.Target{
		New: func(t *testing.T) gateway.Connector {
			return newConnector(t, client.Config{URL: b.URL(), ReconnectDelay: 50 * time.Millisecond})
		},
		Username: "device", Password: "secret", WrongPassword: "guess", DeniedTopic: "denied/topic", MaxQoS: 2,
		Retain: func(t *testing.T, topic, payload string) {
			mosquitto.Retain(t, b.Addr(), "device", "secret", topic, payload)
		},
	})
}

func TestSuiteMosquittoPasswordFile(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"device": "secret"}})
	connectortest.Run(t, connectortest.Target{
		New: func(t *testing.T) gateway.Connector {
			return newConnector(t, client.Config{URL: b.URL(), SessionExpiry: time.Hour})
		},
		Username: "device", Password: "secret", WrongPassword: "guess", MaxQoS: 2,
	})
}

type onePassword struct{}

func (onePassword) Authenticate(_ context.Context, _ gateway.Device, password string) (access.Answer, error) {
	if password != "secret" {
		return access.Answer{Decision: access.Deny}, nil
	}
	return access.Answer{Decision: access.Allow}, nil
}

func (onePassword) Allows(_ gateway.Device, _ access.Action, topic string) bool {
	return topic != "denied/topic"
}

func TestSuiteEmbedded(t *testing.T) {
	b, err := embedded.New(embedded.Config{Listener: listen(t), Authenticator: onePassword{}, ACL: onePassword{}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	connectortest.Run(t, connectortest.Target{
		New: func(t *testing.T) gateway.Connector {
			return newConnector(t, client.Config{URL: "mqtt://" + b.Addr().String()})
		},
		Username: "device", Password: "secret", WrongPassword: "guess", DeniedTopic: "denied/topic",
		Retain: func(t *testing.T, topic, payload string) {
			mosquitto.Retain(t, b.Addr().String(), "device", "secret", topic, payload)
		},
	})
}

// newShared returns a connector for shared sessions with a broker of its own.
func newShared(t testing.TB, cfg client.Config, shared shared.Config) *shared.Connector {
	t.Helper()
	return sharedOf(t, newConnector(t, cfg), shared)
}

// sharedOf returns the connector for shared sessions at the broker of base, and closes it before base.
func sharedOf(t testing.TB, base *Connector, shared shared.Config) *shared.Connector {
	t.Helper()
	if shared.Authenticator == nil {
		shared.Authenticator = access.Everybody()
	}
	s, err := base.Shared(shared)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), brokertest.Patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// secretOnly allows devices with the password "secret", but denies denied/topic.
type secretOnly struct{}

func (secretOnly) Authenticate(_ context.Context, _ gateway.Device, password string) (access.Answer, error) {
	if password != "secret" {
		return access.Answer{Decision: access.Deny, Reason: "it is not the password"}, nil
	}
	return access.Answer{Decision: access.Allow}, nil
}

func (secretOnly) Allows(_ gateway.Device, _ access.Action, topic string) bool {
	return topic != "denied/topic"
}

func runShared(t *testing.T, url string, retain func(t *testing.T, topic, payload string)) {
	connectortest.Run(t, connectortest.Target{
		New: func(t *testing.T) gateway.Connector {
			return newShared(t, client.Config{URL: url, ReconnectDelay: 50 * time.Millisecond},
				shared.Config{Authenticator: secretOnly{}, ACL: secretOnly{}})
		},
		Username: "device", Password: "secret", WrongPassword: "guess", DeniedTopic: "denied/topic", MaxQoS: 2,
		NoSharedSubscriptions: true,
		Retain:                retain,
	})
}

func TestSharedSuiteMosquitto(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	runShared(t, b.URL(), func(t *testing.T, topic, payload string) {
		mosquitto.Retain(t, b.Addr(), "", "", topic,
			payload)
	})
}

// HiveMQ sends one copy of a message that matches two subscriptions.
func TestSharedSuiteHiveMQ(t *testing.T) {
	b := brokers.StartHiveMQ(t, brokers.HiveMQOptions{})
	runShared(t, b.URL(), func(t *testing.T, topic, payload string) {
		mosquitto.Retain(t, b.Addr(), "", "", topic,
			payload)
	})
}

func TestSharedSuiteEmbedded(t *testing.T) {
	b, err := embedded.New(embedded.Config{Listener: listen(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	connectortest.Run(t, connectortest.Target{
		New: func(t *testing.T) gateway.Connector {
			return newShared(t, client.Config{URL: "mqtt://" + b.Addr().String()}, shared.Config{})
		},
		NoSharedSubscriptions: true,
		Retain: func(t *testing.T, topic, payload string) {
			mosquitto.Retain(t, b.Addr().String(), "", "", topic, payload)
		},
	})
}

// TestSharedSuiteProbe checks the devices' credentials at the broker, which otherwise sees only the gateway's account.
func TestSharedSuiteProbe(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"device": "secret", "gateway": "own"}})
	connectortest.Run(t, connectortest.Target{
		New: func(t *testing.T) gateway.Connector {
			base := newConnector(t, client.Config{URL: b.URL(), Username: "gateway", Password: "own"})
			s, err := base.Shared(shared.Config{Authenticator: access.Chain{{
				Name:          "broker",
				Authenticator: base.Probe(),
			}}})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		Username: "device", Password: "secret", WrongPassword: "guess", MaxQoS: 2, NoSharedSubscriptions: true,
	})
}

// listen opens a port for a broker, which closes it.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
