package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway"
)

// TestSharedSubscribeRefused expects the broker's refusal to reach the device, and a new SUBSCRIBE if the device tries
// again.
func TestSharedSubscribeRefused(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{
		Users: map[string]string{"gateway": "own"}, Dynamic: true,
		Denied: []string{"denied"},
	})
	cfg := quick(b.URL())
	cfg.Username, cfg.Password = "gateway", "own"
	s := newShared(t, cfg, SharedConfig{})
	m := logIn(t, s, "device")
	for range maxFilters + 1 { // refused filters do not count
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

// TestSubscribeAgainAfterRefusal subscribes twice at once, and the broker refuses the first SUBSCRIBE: the device's
// subscriptions must match its results.
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

// TestGatewayRefused expects an error, within the login's time, that names the setting of the account that the broker
// refuses.
func TestGatewayRefused(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"gateway": "own"}})
	cfg := quick(b.URL())
	cfg.Username, cfg.Password, cfg.Logger = "gateway", "hidden-password", slog.New(slog.DiscardHandler)
	s := newShared(t, cfg, SharedConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := s.Connect(ctx, gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "device"}}, "",
		connectortest.NewDevice())
	if err == nil || !strings.Contains(err.Error(), "upstream.username") ||
		!strings.Contains(err.Error(), "not authorized") {
		t.Fatal(err)
	}
	if strings.Contains(err.Error(), "hidden-password") {
		t.Fatalf("the error has the password: %v", err)
	}
}

// TestCarrierRefused expects a login to wait for every connection that its messages may need.
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
	_, err := s.Connect(ctx, gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "device"}}, "",
		connectortest.NewDevice())
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
		s := newShared(t, Config{URL: "mqtt://127.0.0.1:1"}, SharedConfig{Authenticator: c.decided})
		_, err := tryLogIn(s, c.id, connectortest.NewDevice())
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

// only allows one topic, and all wildcard filters.
type only string

func (o only) Allows(_ gateway.Device, _ access.Action, name string) bool {
	return name == string(o) || strings.ContainsAny(name, "+#")
}

// TestRules expects the rules of the authenticator's answer to apply or, without any, the ACL. They also apply to each
// message of a wildcard subscription.
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

// TestSharedRestart restarts mosquitto while many devices publish: a publish succeeds only after it has arrived, in the
// order of its device.
func TestSharedRestart(t *testing.T) {
	for name, restart := range map[string]func(t *testing.T, b *mosquitto.Broker){
		"killed":  func(t *testing.T, b *mosquitto.Broker) { b.Kill(); b.Restart(t) },
		"stopped": func(t *testing.T, b *mosquitto.Broker) { b.Stop(t); b.Restart(t) },
	} {
		t.Run(name, func(t *testing.T) {
			b := mosquitto.Start(t, mosquitto.Options{})
			s := newShared(t, quick(b.URL()), SharedConfig{})
			const devices, messages = 50, 40
			members := make([]*member, devices)
			for i := range members {
				members[i] = logIn(t, s, fmt.Sprint("device-", i))
				members[i].subscribe(t, "down/"+members[i].id, 1)
			}
			cfg := quick(b.URL())
			// mosquitto persists a session that began without Clean Start, and not those of the shared connections
			cfg.SessionExpiry = time.Minute
			observer := logIn(t, newConnector(t, cfg), "observer")
			observer.subscribe(t, "down/#", 1)
			calls := publishAll(members, 0, messages)
			b.Pause(t)
			calls = append(calls, publishAll(members, messages, 3*messages)...)
			restart(t, b)
			for _, call := range calls {
				if r := call.Result(t); !r.Ok() || call.Times() != 1 {
					t.Fatalf("%v, done was called %d times", r, call.Times())
				}
			}
			publishAll(members, 3*messages, 3*messages+1)
			for _, m := range members {
				wantInOrder(t, m, true, map[string]int{"down/" + m.id: 3 * messages})
			}
			last := map[string]int{}
			for _, m := range members {
				last["down/"+m.id] = 3 * messages
			}
			wantInOrder(t, observer, name == "killed", last)
		})
	}
}

// publishAll makes each device publish to itself, without waiting.
func publishAll(members []*member, first, end int) (calls []*connectortest.Call) {
	for i := first; i < end; i++ {
		for _, m := range members {
			call := connectortest.NewCall()
			calls = append(calls, call)
			m.Publish("down/"+m.id, 1, []byte(strconv.Itoa(i)), call.Done)
		}
	}
	return calls
}

// wantInOrder expects the numbers up to the last of each topic; duplicates are allowed. With mayLose, the broker may
// have lost acknowledged messages.
func wantInOrder(t *testing.T, m *member, mayLose bool, last map[string]int) {
	t.Helper()
	next := map[string]int{}
	for len(last) > 0 {
		got := m.Next(t)
		n, err := strconv.Atoi(string(got.Payload))
		if err != nil || (n > next[got.Topic] && !mayLose) {
			t.Fatalf("%s gets %d of %s, not %d", m.id, n, got.Topic, next[got.Topic])
		}
		next[got.Topic] = max(next[got.Topic], n+1)
		if n == last[got.Topic] {
			delete(last, got.Topic)
		}
	}
}

// TestSubscribeWhileDown expects requests made while the broker is down to take effect when it is up.
func TestSubscribeWhileDown(t *testing.T) {
	for _, forget := range []bool{false, true} {
		b := newMemoryBroker(t)
		s := newShared(t, quick(b.url()), SharedConfig{Connections: 1})
		m := logIn(t, s, "device")
		for _, filter := range []string{"stays", "leaves", "returns"} {
			m.subscribe(t, filter, 1)
		}
		b.stop()
		awaitDown(t, s.conns[0].client)
		calls := make([]*connectortest.Call, 5)
		for i := range calls {
			calls[i] = connectortest.NewCall()
		}
		m.Unsubscribe("leaves", calls[0].Done)
		m.Unsubscribe("returns", calls[1].Done)
		m.Subscribe("returns", 1, calls[2].Done)
		m.Subscribe("new", 1, calls[3].Done)
		logIn(t, s, "gone").Subscribe("gone", 1, calls[4].Done)
		s.session("gone").Close()
		b.start(forget)
		for i, call := range calls {
			if r := call.Result(t); r.Ok() == (i == 4) {
				t.Fatalf("call %d: %v", i, r)
			}
		}
		b.awaitClients(t, 2)
		awaitFilters(t, b, "new", "returns", "stays")
		for _, topic := range []string{"new", "leaves", "gone", "returns", "stays"} {
			b.publish(topic, topic, 1)
		}
		b.flush(t, 2)
		m.wants(t, "new", "returns", "stays")
		m.wantsNoMore(t)
	}
}

// TestComeAndGoWhileDown unsubscribes, subscribes and unsubscribes a filter while the broker is down: the broker, which
// has kept the subscription, must get an UNSUBSCRIBE.
func TestComeAndGoWhileDown(t *testing.T) {
	b := newMemoryBroker(t)
	s := newShared(t, quick(b.url()), SharedConfig{Connections: 1})
	m := logIn(t, s, "device")
	m.subscribe(t, "f", 1)
	b.stop()
	awaitDown(t, s.conns[0].client)
	m.Unsubscribe("f", nil)
	m.Subscribe("f", 1, nil)
	m.Unsubscribe("f", nil)
	b.start(false)
	awaitFilters(t, b)
	wantNoRoutes(t, s)
}

// TestNothingGrowsWhileDown has many devices log in, subscribe, publish and leave while the broker is down.
func TestNothingGrowsWhileDown(t *testing.T) {
	b := newMemoryBroker(t)
	s := newShared(t, quick(b.url()), SharedConfig{Connections: 1})
	logIn(t, s, "stays")
	b.stop()
	c := s.conns[0].client
	awaitDown(t, c)
	for i := range 1000 {
		m, call := logIn(t, s, fmt.Sprint("device-", i)), connectortest.NewCall()
		m.Subscribe("own/"+m.id, 1, nil)
		m.Subscribe("common", 1, nil)
		m.Publish("t", 1, []byte("x"), call.Done)
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
	s := newShared(t, quick(b.URL()), SharedConfig{Connections: 1})
	m, other := logIn(t, s, "device"), logIn(t, s, "other")
	other.subscribe(t, "t", 1)
	b.Pause(t)
	call := connectortest.NewCall()
	m.Publish("t", 1, []byte("x"), call.Done)
	m.Close()
	if r := call.Result(t); r.Code != gateway.CodeConnProcessNotAlive {
		t.Fatal(r)
	}
	b.Resume(t)
	other.wants(t, "x")
	publish(t, other, "t", 1, "end")
	if call.Times() != 1 {
		t.Fatalf("done was called %d times", call.Times())
	}
}
