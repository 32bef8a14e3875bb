package shared

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// TestSharedSubscribeRefused expects the broker's refusal to reach the device, and a new SUBSCRIBE if the device tries
// again.
func TestSharedSubscribeRefused(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{
		Users: map[string]string{"gateway": "own"}, Dynamic: true,
		Denied: []string{"denied"},
	})
	cfg := clienttest.Quick(b.URL())
	cfg.Username, cfg.Password = "gateway", "own"
	s := newConnector(t, cfg, Config{})
	m := brokertest.LogIn(t, s, "device")
	for range maxFilters + 1 { // refused filters do not count
		if r := connectortest.Subscribe(t, m, "denied", 1); r.Code != gateway.CodePermissionDeny {
			t.Fatal(r)
		}
	}
	wantNoRoutes(t, s)
	m.MustSubscribe(t, "t", 1)
	brokertest.Publish(t, m, "t", 1, "x")
	m.Wants(t, "x")
	b.Control(t, "removeRoleACL", "everyone", "subscribePattern", "denied")
	m.MustSubscribe(t, "denied", 1)
}

// TestSubscribeAgainAfterRefusal subscribes twice at once, and the broker refuses the first SUBSCRIBE: the device's
// subscriptions must match its results.
func TestSubscribeAgainAfterRefusal(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	s := newConnector(t, clienttest.Quick(b.URL()), Config{Connections: 1})
	m, other := brokertest.LogIn(t, s, "device"), brokertest.LogIn(t, s, "other")
	other.MustSubscribe(t, "f", 0)
	b.Set(func() { b.Mute = true })
	first, second := connectortest.NewCall(), connectortest.NewCall()
	m.Subscribe("f", 1, first.Done)
	awaitAsks(t, b, "SUBSCRIBE f", "SUBSCRIBE f")
	m.Subscribe("f", 1, second.Done)
	b.Set(func() {
		b.Mute = false
		c := b.Sessions["exgate-exgate-shared-1"]
		c.Peer.Suback(c.Asked, packets.SubackNotauthorized)
	})
	if r := first.Result(t); r.Code != gateway.CodePermissionDeny {
		t.Fatal(r)
	}
	if r := second.Result(t); !r.Ok() {
		t.Fatal(r)
	}
	b.Publish("f", "x", 1)
	m.Wants(t, "x")
}

// TestGatewayRefused expects an error, within the login's time, that names the setting of the account that the broker
// refuses.
func TestGatewayRefused(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"gateway": "own"}})
	cfg := clienttest.Quick(b.URL())
	cfg.Username, cfg.Password, cfg.Logger = "gateway", "hidden-password", slog.New(slog.DiscardHandler)
	s := newConnector(t, cfg, Config{})
	err := awaitRefusal(t, s, "not authorized")
	if strings.Contains(err.Error(), "hidden-password") {
		t.Fatalf("the error has the password: %v", err)
	}
}

// TestSharedConnectionRefused expects a login to wait for every connection that its messages may need.
func TestConnectionRefused(t *testing.T) {
	b := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		cp := p.Next()
		if cp == nil || strings.Contains(cp.Content.(*packets.Connect).ClientID, "-shared-") {
			return
		}
		p.Send(packets.NewControlPacket(packets.CONNACK))
		p.ServeAll()
	})
	cfg := clienttest.Quick(b.URL())
	cfg.Logger = slog.New(slog.DiscardHandler)
	s := newConnector(t, cfg, Config{})
	s.mode.once.Do(func() { close(s.mode.known) })
	if err := awaitRefusal(t, s, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

// awaitRefusal logs devices in, each for a short time, until the error names the setting of the gateway's account and
// has the cause: on a busy machine the broker may not have answered the gateway before.
func awaitRefusal(t *testing.T, c gateway.Connector, cause string) (err error) {
	t.Helper()
	gatewaytest.Eventually(t, "an error that names upstream.username", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if _, err = c.Connect(ctx, gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "device"}}, "",
			connectortest.NewDevice()); err == nil {
			t.Fatal("a device was let in")
		}
		return strings.Contains(err.Error(), "upstream.username") && strings.Contains(err.Error(), cause)
	})
	return err
}

// decided answers every login in the same way.
type decided struct {
	answer access.Answer
	err    error
}

func (a decided) Authenticate(context.Context, gateway.Device, string) (access.Answer, error) {
	return a.answer, a.err
}

// TestLoginAnswers expects a refusal for every answer except Allow, without a trace of the device at the broker.
func TestLoginAnswers(t *testing.T) {
	away := errors.New("the service is away")
	for name, c := range map[string]struct {
		decided
		id   string
		want gateway.ResultCode
	}{
		"deny": {
			decided{answer: access.Answer{Decision: access.Deny, Reason: "the password is wrong"}},
			"device", gateway.CodePermissionDeny,
		},
		"ignore": {decided{}, "device", gateway.CodePermissionDeny},
		"expired": {
			decided{answer: access.Answer{Decision: access.Allow, Expires: time.Now().Add(-time.Second)}},
			"device", gateway.CodePermissionDeny,
		},
		"no client id": {decided{answer: access.Answer{Decision: access.Allow}}, "", gateway.CodeRequiredParamsMiss},
		"bad client":   {decided{answer: access.Answer{Decision: access.Allow}}, "a\x00b", gateway.CodeParamsTypeError},
		"error":        {decided{err: away}, "device", 0},
	} {
		s := newConnector(t, client.Config{URL: "mqtt://127.0.0.1:1"}, Config{Authenticator: c.decided})
		_, err := brokertest.TryLogIn(s, c.id, connectortest.NewDevice())
		var refused *gateway.ResultError
		switch {
		case c.err != nil:
			if !errors.Is(err, away) || errors.As(err, &refused) {
				t.Errorf("%s: %v", name, err)
			}
		case !errors.As(err, &refused) || refused.Result.Code != c.want ||
			!strings.Contains(refused.Result.Message, c.answer.Reason):
			t.Errorf("%s: %v", name, err)
		}
		if len(s.all()) > 0 || len(s.conns) > 0 {
			t.Errorf("%s: a session began", name)
		}
	}
}

// TestExpiry expects the session to end when its login expires.
func TestExpiry(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	expiring := decided{answer: access.Answer{Decision: access.Allow, Expires: time.Now().Add(time.Second)}}
	s := newConnector(t, clienttest.Quick(b.URL()), Config{Authenticator: expiring})
	m := brokertest.LogIn(t, s, "device")
	m.MustSubscribe(t, "t", 1)
	if r := m.Lost(t); !r.Is(gateway.ReasonAuthExpired) || time.Now().Before(expiring.answer.Expires) {
		t.Fatal(r)
	}
	wantNoRoutes(t, s)
	if r := connectortest.Publish(t, m, "t", 1, "x"); r.Code != gateway.CodeConnProcessNotAlive {
		t.Fatal(r)
	}
}

// only allows one topic, and all wildcard filters.
type only string

func (o only) Allows(_ gateway.Device, _ access.Action, name string) bool {
	return name == string(o) || strings.ContainsAny(name, "+#")
}

// TestRules expects the rules of the authenticator's answer to apply or, without any, the ACL. They also apply to each
// message of a wildcard subscription.
func TestRules(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	s := newConnector(t, clienttest.Quick(b.URL()), Config{ACL: only("allowed")})
	m := brokertest.LogIn(t, s, "device")
	if r := connectortest.Publish(t, m, "other", 1, "x"); r.Code != gateway.CodePermissionDeny {
		t.Fatal(r)
	}
	if r := connectortest.Subscribe(t, m, "other", 1); r.Code != gateway.CodePermissionDeny {
		t.Fatal(r)
	}
	m.MustSubscribe(t, "#", 1)
	b.Publish("other", "no", 1)
	b.Publish("allowed", "yes", 1)
	m.Wants(t, "yes")

	nothing := decided{answer: access.Answer{Decision: access.Allow, Rules: new(access.Rules)}}
	everything := decided{answer: access.Answer{Decision: access.Allow, Superuser: true}}
	for _, a := range []decided{nothing, everything} {
		cfg := clienttest.Quick(b.URL())
		cfg.Node = "other"
		free := brokertest.LogIn(t, newConnector(t, cfg, Config{Authenticator: a, ACL: only("allowed")}), "free")
		free.MustSubscribe(t, "#", 1)
		brokertest.Publish(t, free, "other", 1, "x")
		free.Wants(t, "x")
		free.Close()
	}
}

// TestSubscribeWhileDown expects requests made while the broker is down to take effect when it is up.
func TestSubscribeWhileDown(t *testing.T) {
	for _, forget := range []bool{false, true} {
		b := brokertest.NewMemoryBroker(t)
		s := newConnector(t, clienttest.Quick(b.URL()), Config{Connections: 1})
		m := brokertest.LogIn(t, s, "device")
		for _, filter := range []string{"stays", "leaves", "returns"} {
			m.MustSubscribe(t, filter, 1)
		}
		b.Stop()
		clienttest.AwaitDown(t, s.conns[0].client)
		calls := make([]*connectortest.Call, 5)
		for i := range calls {
			calls[i] = connectortest.NewCall()
		}
		m.Unsubscribe("leaves", calls[0].Done)
		m.Unsubscribe("returns", calls[1].Done)
		m.Subscribe("returns", 1, calls[2].Done)
		m.Subscribe("new", 1, calls[3].Done)
		brokertest.LogIn(t, s, "gone").Subscribe("gone", 1, calls[4].Done)
		s.session("gone").Close()
		b.Start(forget)
		for i, call := range calls {
			if r := call.Result(t); r.Ok() == (i == 4) {
				t.Fatalf("call %d: %v", i, r)
			}
		}
		b.AwaitClients(t, 2)
		awaitFilters(t, b, "new", "returns", "stays")
		for _, topic := range []string{"new", "leaves", "gone", "returns", "stays"} {
			b.Publish(topic, topic, 1)
		}
		b.Flush(t, 2)
		m.Wants(t, "new", "returns", "stays")
		m.WantsNoMore(t)
	}
}

// TestComeAndGoWhileDown unsubscribes, subscribes and unsubscribes a filter while the broker is down: the broker, which
// has kept the subscription, must get an UNSUBSCRIBE.
func TestComeAndGoWhileDown(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	s := newConnector(t, clienttest.Quick(b.URL()), Config{Connections: 1})
	m := brokertest.LogIn(t, s, "device")
	m.MustSubscribe(t, "f", 1)
	b.Stop()
	clienttest.AwaitDown(t, s.conns[0].client)
	m.Unsubscribe("f", nil)
	m.Subscribe("f", 1, nil)
	m.Unsubscribe("f", nil)
	b.Start(false)
	awaitFilters(t, b)
	wantNoRoutes(t, s)
}

// TestNothingGrowsWhileDown has many devices log in, subscribe, publish and leave while the broker is down.
func TestNothingGrowsWhileDown(t *testing.T) {
	b := brokertest.NewMemoryBroker(t)
	s := newConnector(t, clienttest.Quick(b.URL()), Config{Connections: 1})
	brokertest.LogIn(t, s, "stays")
	b.Stop()
	c := s.conns[0].client
	clienttest.AwaitDown(t, c)
	for i := range 1000 {
		m, call := brokertest.LogIn(t, s, fmt.Sprint("device-", i)), connectortest.NewCall()
		m.Subscribe("own/"+m.ID, 1, nil)
		m.Subscribe("common", 1, nil)
		m.Publish("t", 1, []byte("x"), nil, call.Done)
		m.Close()
		if r := call.Result(t); r.Code != gateway.CodeConnProcessNotAlive {
			t.Fatal(r)
		}
	}
	if s := c.State(); s.Blocked+s.Pending+s.Inflight > 10 {
		t.Errorf("too many queues and calls wait: %+v", s)
	}
	r := &s.conns[0].routes
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.by) + len(r.ids) + len(r.stale); n > 0 {
		t.Errorf("%d routes are left", n)
	}
}

// TestSentWhenLeaving expects a device that leaves to get a result for its unacknowledged publish, which must
// nevertheless be sent again.
func TestSentWhenLeaving(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	s := newConnector(t, clienttest.Quick(b.URL()), Config{Connections: 1})
	m, other := brokertest.LogIn(t, s, "device"), brokertest.LogIn(t, s, "other")
	other.MustSubscribe(t, "t", 1)
	b.Pause(t)
	call := connectortest.NewCall()
	m.Publish("t", 1, []byte("x"), nil, call.Done)
	m.Close()
	if r := call.Result(t); r.Code != gateway.CodeConnProcessNotAlive {
		t.Fatal(r)
	}
	b.Resume(t)
	other.Wants(t, "x")
	brokertest.Publish(t, other, "t", 1, "end")
	if call.Times() != 1 {
		t.Fatalf("done was called %d times", call.Times())
	}
}
