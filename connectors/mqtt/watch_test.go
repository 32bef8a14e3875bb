package mqtt

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/connectors/mqtt/clienttest"
	"github.com/exgate/exgate/connectors/mqtt/shared"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// now returns a context that has ended, to get the current state.
func now() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// TestWatch uses a broker that is down at first, comes up, goes down while a device is connected, and comes up again.
func TestWatch(t *testing.T) {
	for name, change := range map[string]struct {
		username string
		shared   bool
	}{
		"session: device":             {},
		"with the gateway's account":  {username: "gateway"},
		"session: shared, no account": {shared: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := gatewaytest.FreeAddress(t)
			var log gatewaytest.Log
			cfg := clienttest.Quick("mqtt://" + addr)
			cfg.Username, cfg.Logger = change.username, log.Logger()
			c := newConnector(t, cfg)
			if change.shared {
				s, err := c.Shared(shared.Config{Authenticator: access.Everybody()})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close(t.Context()) })
			}
			if err := c.Reachable(now()); err == nil {
				t.Fatal("reachable before anyone has looked")
			}
			c.Watch()
			if err := c.Reachable(t.Context()); err == nil || !strings.Contains(err.Error(), addr) {
				t.Fatalf("reachable: %v", err)
			}
			if n := strings.Count(log.String(), "the broker cannot be reached; devices cannot log in"); n != 1 ||
				!strings.Contains(log.String(), "upstream.url") {
				t.Fatalf("logged:\n%s", log.String())
			}
			first := serveAt(t, addr)
			await := func(what string, up bool) {
				t.Helper()
				gatewaytest.Eventually(t, what, func() bool { return (c.Reachable(now()) == nil) == up })
			}
			await("the broker", true)
			if !strings.Contains(log.String(), "the broker can be reached again") {
				t.Fatalf("logged:\n%s", log.String())
			}
			brokertest.Connect(t, c, "device")
			first.Close()
			await("that the broker is away", false)
			serveAt(t, addr)
			await("the broker again", true)
		})
	}
}

func serveAt(t *testing.T, addr string) *brokertest.Scripted {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return brokertest.ServeScripted(t, l, func(p *brokertest.Peer) {
		if p.Accept(false) != nil {
			p.ServeAll()
		}
	})
}
