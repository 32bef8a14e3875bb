package embedded_test

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/runtime/gateway"
)

// rules is users and rules that tests change at run time.
type rules struct {
	password string
	denied   string // for every action

	mu    sync.Mutex
	later map[string]access.Action // guarded by mu
}

func (a *rules) Authenticate(_ context.Context, _ gateway.Device, password string) (access.Answer, error) {
	if password != a.password {
		return access.Answer{Decision: access.Deny}, nil
	}
	return access.Answer{Decision: access.Allow}, nil
}

func (a *rules) Allows(_ gateway.Device, action access.Action, topic string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	denied, ok := a.later[topic]
	return topic != a.denied && (!ok || denied != action)
}

func (a *rules) deny(topic string, action access.Action) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.later == nil {
		a.later = map[string]access.Action{}
	}
	a.later[topic] = action
}

// listen opens a socket for network clients, which the broker closes.
func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func start(t testing.TB, cfg embedded.Config) *embedded.Broker {
	t.Helper()
	b, err := embedded.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestSuite(t *testing.T) {
	var broker *embedded.Broker
	connectortest.Run(t, connectortest.Target{
		New: func(t *testing.T) gateway.Connector {
			a := &rules{password: "secret", denied: "denied/topic"}
			b, err := embedded.New(embedded.Config{Authenticator: a, ACL: a})
			if err != nil {
				t.Fatal(err)
			}
			broker = b
			return b
		},
		Username: "user", Password: "secret", WrongPassword: "guess", DeniedTopic: "denied/topic", MaxQoS: 2,
		Retain: func(t *testing.T, topic, payload string) {
			if err := broker.Retain(topic, payload); err != nil {
				t.Fatal(err)
			}
		},
	})
}

func TestSuiteOpen(t *testing.T) {
	connectortest.Run(t, connectortest.Target{
		New: func(t *testing.T) gateway.Connector {
			b, err := embedded.New(embedded.Config{Listener: listen(t)})
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		MaxQoS: 2,
	})
}
