package acceptance

import (
	"context"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/connectors/mqtt"
	"github.com/exgate/exgate/runtime/gateway"
)

const password = "correct-horse-battery"

// upstream is a broker whose rules a test can change.
type upstream struct {
	connector gateway.Connector
	url       string // for clients that are not devices
	password  string
	aclUser   string // whom deny denies acl/#
	deny      func(*testing.T)
	allow     func(*testing.T)
}

// rules is the embedded broker's authenticator and access control.
type rules struct{ denied atomic.Bool }

func (r *rules) Authenticate(_ context.Context, _ gateway.Device, got string) (access.Answer, error) {
	if got != password {
		return access.Answer{Decision: access.Deny}, nil
	}
	return access.Answer{Decision: access.Allow}, nil
}

func (r *rules) Allows(client gateway.Device, _ access.Action, topic string) bool {
	return !r.denied.Load() || client.Username != "d-acl" || topic != "acl/t"
}

func openEmbedded(t *testing.T) *upstream {
	r := &rules{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b, err := embedded.New(embedded.Config{
		Listener: l, Authenticator: r, ACL: r, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &upstream{
		connector: b, url: "mqtt://" + b.Addr().String(), password: password, aclUser: "d-acl",
		deny:  func(*testing.T) { r.denied.Store(true) },
		allow: func(*testing.T) { r.denied.Store(false) },
	}
}

func openMosquitto(t *testing.T) *upstream {
	users := map[string]string{}
	for _, name := range []string{"d-echo", "d-raw", "d-acl", "d-keepalive", "d-other", "other", "raw"} {
		users[name] = password
	}
	b := mosquitto.Start(t, mosquitto.Options{Users: users, Dynamic: true})
	c, err := mqtt.New(mqtt.Config{URL: b.URL(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	accesses := []mosquitto.Access{mosquitto.Publish, mosquitto.Subscribe}
	return &upstream{
		connector: c, url: b.URL(), password: password, aclUser: "d-acl",
		deny: func(t *testing.T) {
			for _, a := range accesses {
				b.Deny(t, "d-acl", a, "acl/t")
			}
		},
		allow: func(t *testing.T) {
			for _, a := range accesses {
				b.Allow(t, "d-acl", a, "acl/t")
			}
		},
	}
}

// client is another client of the broker.
type client struct {
	session  gateway.Session
	messages chan gateway.Message
}

func (c *client) Deliver(m gateway.Message) bool  { c.messages <- m; return true }
func (c *client) SessionLost(gateway.CloseReason) {}

func dialOther(t *testing.T, url string) *client {
	t.Helper()
	connector, err := mqtt.New(mqtt.Config{URL: url, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c := &client{messages: make(chan gateway.Message, 100)}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c.session, err = connector.Connect(ctx, gateway.Device{ClientInfo: gateway.ClientInfo{
		ClientID: "other",
		Username: "other",
	}}, password, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.session.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = connector.Close(ctx)
	})
	return c
}

func (c *client) await(t *testing.T, what string, call func(gateway.Done)) {
	t.Helper()
	done := make(chan gateway.Result, 1)
	call(func(r gateway.Result) { done <- r })
	select {
	case r := <-done:
		if !r.Ok() {
			t.Fatalf("%s: %v", what, r)
		}
	case <-time.After(patience):
		t.Fatalf("%s: no answer", what)
	}
}

func (c *client) publish(t *testing.T, topic, payload string, qos byte) {
	t.Helper()
	c.await(t, "publish", func(d gateway.Done) { c.session.Publish(topic, qos, []byte(payload), nil, d) })
}

func (c *client) subscribe(t *testing.T, filter string) {
	t.Helper()
	c.await(t, "subscribe", func(d gateway.Done) { c.session.Subscribe(filter, 1, d) })
}

func (c *client) expect(t *testing.T, topic, payload string) {
	t.Helper()
	select {
	case m := <-c.messages:
		if m.Topic != topic || string(m.Payload) != payload {
			t.Fatalf("got %s %s, want %s %s", m.Topic, m.Payload, topic, payload)
		}
	case <-time.After(patience):
		t.Fatalf("%s %s never came", topic, payload)
	}
}
