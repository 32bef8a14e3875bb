package embedded_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/embedded"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// answers gives the same answer to each login.
type answers struct {
	access.Answer
	err error
}

func (a answers) Authenticate(context.Context, gateway.Device, string) (access.Answer, error) {
	return a.Answer, a.err
}

// nothing allows nothing.
type nothing struct{}

func (nothing) Allows(gateway.Device, access.Action, string) bool { return false }

func TestLoginIsRefused(t *testing.T) {
	down := errors.New("the service is down")
	for name, c := range map[string]struct {
		answers
		want string
	}{
		"ignore": {answers{Answer: access.Answer{Reason: "who is that"}}, "PERMISSION_DENY: who is that"},
		"deny":   {answers{Answer: access.Answer{Decision: access.Deny}}, "PERMISSION_DENY: bad username or password"},
		"error":  {answers{err: down}, "authenticating: the service is down"},
	} {
		b := start(t, embedded.Config{Authenticator: c.answers})
		_, err := b.Connect(t.Context(), gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "c"}}, "",
			connectortest.NewDevice())
		if err == nil || err.Error() != c.want || errors.Is(err, down) != (c.err != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAnswerSaysWhatIsAllowed requires that the rules of an answer take precedence over those of the broker.
func TestAnswerSaysWhatIsAllowed(t *testing.T) {
	auth := loadAuthFile(t, writeAuthFile(t, "anonymous: true\n"+
		"rules: [{permission: allow, action: publish, topics: [up]}]\n"))
	for name, c := range map[string]struct {
		access.Authenticator
		up, other bool
	}{
		"rules of the answer": {auth, true, false},
		"superuser":           {answers{Answer: access.Answer{Decision: access.Allow, Superuser: true}}, true, true},
		"rules of the broker": {access.Everybody(), false, false},
	} {
		b := start(t, embedded.Config{Listener: listen(t), Authenticator: c.Authenticator, ACL: nothing{}})
		s, _ := connect(t, b, "device")
		for topic, want := range map[string]bool{"up": c.up, "other": c.other} {
			if r := connectortest.Publish(t, s, topic, 1, "x"); r.Ok() != want {
				t.Errorf("%s: a device publishes to %s: %v", name, topic, r)
			}
			out, err := client(t, b, "mosquitto_pub", "-V", "5", "-q", "1", "-t", topic, "-m", "x")
			if denied := err != nil || strings.Contains(strings.ToLower(out), "not authori"); denied == want {
				t.Errorf("%s: a client publishes to %s: %v %s", name, topic, err, out)
			}
		}
	}
}

// briefly accepts every login for a second.
type briefly struct{}

func (briefly) Authenticate(context.Context, gateway.Device, string) (access.Answer, error) {
	return access.Answer{Decision: access.Allow, Expires: time.Now().Add(time.Second)}, nil
}

func TestLoginExpires(t *testing.T) {
	b := start(t, embedded.Config{Listener: listen(t), Authenticator: briefly{}})
	_, d := connect(t, b, "device")
	conn := rawConnect(t, b, "client", "")
	if r := d.Lost(t); !r.Is(gateway.ReasonAuthExpired) || !strings.Contains(r.Detail, "expired") {
		t.Error(r)
	}
	_ = conn.SetReadDeadline(time.Now().Add(90 * time.Second))
	var timeout net.Error
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("the connection of a client whose login has expired is open: %v", err)
	}
}

// TestAuthFileIsReloaded changes a rule for a device that is connected.
func TestAuthFileIsReloaded(t *testing.T) {
	path := writeAuthFile(t, "anonymous: true\n")
	file := loadAuthFile(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	var watcher sync.WaitGroup
	watcher.Go(func() { file.Watch(ctx, nil) })
	defer watcher.Wait()
	defer cancel()
	b := start(t, embedded.Config{Authenticator: file, ACL: file})
	s, _ := connect(t, b, "device")
	if r := connectortest.Publish(t, s, "t", 0, "x"); !r.Ok() {
		t.Fatal(r)
	}
	if err := os.WriteFile(path, []byte("anonymous: true\nrules: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Eventually(t, "the new rules", func() bool { return !connectortest.Publish(t, s, "t", 0, "x").Ok() })
}
