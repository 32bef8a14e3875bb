package mqtt

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway"
)

// TestSharedSubscribeRefused tells a device that the broker refused, and asks again when the device does.
func TestSharedSubscribeRefused(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"gateway": "own"}, Dynamic: true, Denied: []string{"denied"}})
	cfg := quick(b.URL())
	cfg.Username, cfg.Password = "gateway", "own"
	s := newShared(t, cfg, SharedConfig{})
	m := logIn(t, s, "device")
	for range maxFilters + 1 { // the refused ones take no place
		if r := connectortest.Subscribe(t, m, "denied", 1); r.Code != gateway.CodePermissionDeny {
			t.Fatal(r)
		}
	}
	wantNoRoutes(t, s)
	m.subscribe(t, "t", 1)
	publish(t, m, "t", 1, "x")
	m.wants(t, "x")
	b.Control(t, "removeRoleACL", "everyone", "subscribePattern", "denied")
	m.subscribe(t, "denied", 1)
}

// TestSubscribeAgainAfterRefusal has a device ask twice at once, of which the broker refuses the first: it has what it was told.
func TestSubscribeAgainAfterRefusal(t *testing.T) {
	b := newMemoryBroker(t)
	s := newShared(t, quick(b.url()), SharedConfig{Connections: 1})
	m, other := logIn(t, s, "device"), logIn(t, s, "other")
	other.subscribe(t, "f", 0)
	b.set(func() { b.mute = true })
	first, second := connectortest.NewCall(), connectortest.NewCall()
	m.Subscribe("f", 1, first.Done)
	awaitAsks(t, b, "SUBSCRIBE f", "SUBSCRIBE f")
	m.Subscribe("f", 1, second.Done)
	b.set(func() {
		b.mute = false
		c := b.sessions["exgate-exgate-shared-1"]
		c.peer.suback(c.asked, packets.SubackNotauthorized)
	})
	if r := first.Result(t); r.Code != gateway.CodePermissionDeny {
		t.Fatal(r)
	}
	if r := second.Result(t); !r.Ok() {
		t.Fatal(r)
	}
	b.publish("f", "x", 1)
	m.wants(t, "x")
}

// TestGatewayRefused names the setting of the account that the broker does not take, within the time of the login.
func TestGatewayRefused(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"gateway": "own"}})
	cfg := quick(b.URL())
	cfg.Username, cfg.Password, cfg.Logger = "gateway", "hidden-password", slog.New(slog.DiscardHandler)
	s := newShared(t, cfg, SharedConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := s.Connect(ctx, gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "device"}}, "", connectortest.NewDevice())
	if err == nil || !strings.Contains(err.Error(), "upstream.username") || !strings.Contains(err.Error(), "not authorized") {
		t.Fatal(err)
	}
	if strings.Contains(err.Error(), "hidden-password") {
		t.Fatalf("the error has the password: %v", err)
	}
}

// TestCarrierRefused has a login wait for every connection that its messages may need.
func TestCarrierRefused(t *testing.T) {
	b := newScripted(t, func(p *peer) {
		cp := p.next()
		if cp == nil || strings.Contains(cp.Content.(*packets.Connect).ClientID, "-shared-") {
			return
		}
		p.send(packets.NewControlPacket(packets.CONNACK))
		p.serveAll()
	})
	cfg := quick(b.url())
	cfg.Logger = slog.New(slog.DiscardHandler)
	s := newShared(t, cfg, SharedConfig{})
	s.mode.once.Do(func() { close(s.mode.known) })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := s.Connect(ctx, gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "device"}}, "", connectortest.NewDevice())
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "upstream.username") {
		t.Fatal(err)
	}
}

// decided answers every login in the same way.
type decided struct {
	answer access.Answer
	err    error
}

func (a decided) Authenticate(context.Context, gateway.Device, string) (access.Answer, error) {
	return a.answer, a.err
}

// TestLoginAnswers wants a refusal of who decides, and nothing of the device at the broker, for everything but yes.
func TestLoginAnswers(t *testing.T) {
	away := errors.New("the service is away")
	for name, c := range map[string]struct {
		decided
		id   string
		want gateway.ResultCode
	}{
		"deny":         {decided{answer: access.Answer{Decision: access.Deny, Reason: "the password is wrong"}}, "device", gateway.CodePermissionDeny},
		"ignore":       {decided{}, "device", gateway.CodePermissionDeny},
		"expired":      {decided{answer: access.Answer{Decision: access.Allow, Expires: time.Now().Add(-time.Second)}}, "device", gateway.CodePermissionDeny},
		"no client id": {decided{answer: access.Answer{Decision: access.Allow}}, "", gateway.CodeRequiredParamsMiss},
		"bad client":   {decided{answer: access.Answer{Decision: access.Allow}}, "a\x00b", gateway.CodeParamsTypeError},
		"error":        {decided{err: away}, "device", 0},
	} {
		s := newShared(t, Config{URL: "mqtt://127.0.0.1:1"}, SharedConfig{Authenticator: c.decided})
		_, err := tryLogIn(s, c.id, connectortest.NewDevice())
		var refused *gateway.ResultError
		switch {
		case c.err != nil:
			if !errors.Is(err, away) || errors.As(err, &refused) {
				t.Errorf("%s: %v", name, err)
			}
		case !errors.As(err, &refused) || refused.Result.Code != c.want || !strings.Contains(refused.Result.Message, c.answer.Reason):
			t.Errorf("%s: %v", name, err)
		}
		if len(s.all()) > 0 || len(s.carriers) > 0 {
			t.Errorf("%s: a session began", name)
		}
	}
}

// TestExpiry ends a session when its login does.
func TestExpiry(t *testing.T) {
	b := newMemoryBroker(t)
	expiring := decided{answer: access.Answer{Decision: access.Allow, Expires: time.Now().Add(time.Second)}}
	s := newShared(t, quick(b.url()), SharedConfig{Authenticator: expiring})
	m := logIn(t, s, "device")
	m.subscribe(t, "t", 1)
	if r := m.Lost(t); !r.Is(gateway.ReasonAuthExpired) || time.Now().Before(expiring.answer.Expires) {
		t.Fatal(r)
	}
	wantNoRoutes(t, s)
	if r := connectortest.Publish(t, m, "t", 1, "x"); r.Code != gateway.CodeConnProcessNotAlive {
		t.Fatal(r)
	}
}

// only allows one topic, and filters that are as wide as they like.
type only string

func (o only) Allows(_ gateway.Device, _ access.Action, name string) bool {
	return name == string(o) || strings.ContainsAny(name, "+#")
}

// TestRules asks those of the answer where it has some, and for each message of a wide subscription.
func TestRules(t *testing.T) {
	b := newMemoryBroker(t)
	s := newShared(t, quick(b.url()), SharedConfig{ACL: only("allowed")})
	m := logIn(t, s, "device")
	if r := connectortest.Publish(t, m, "other", 1, "x"); r.Code != gateway.CodePermissionDeny {
		t.Fatal(r)
	}
	if r := connectortest.Subscribe(t, m, "other", 1); r.Code != gateway.CodePermissionDeny {
		t.Fatal(r)
	}
	m.subscribe(t, "#", 1)
	b.publish("other", "no", 1)
	b.publish("allowed", "yes", 1)
	m.wants(t, "yes")

	nothing := decided{answer: access.Answer{Decision: access.Allow, Rules: new(access.Rules)}}
	everything := decided{answer: access.Answer{Decision: access.Allow, Superuser: true}}
	for _, a := range []decided{nothing, everything} {
		cfg := quick(b.url())
		cfg.Node = "other"
		free := logIn(t, newShared(t, cfg, SharedConfig{Authenticator: a, ACL: only("allowed")}), "free")
		free.subscribe(t, "#", 1)
		publish(t, free, "other", 1, "x")
		free.wants(t, "x")
		free.Close()
	}
}
