package gateway_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/exgate/exgate/runtime/gateway"
)

// newCountedFixture is newFixture with access to its metrics and log.
func newCountedFixture(t *testing.T, limits gateway.Limits) (*fixture, *prometheus.Registry, *bytes.Buffer) {
	t.Helper()
	reg, log := prometheus.NewRegistry(), new(bytes.Buffer)
	w := &fixture{lis: newTestListener(), h: newScript(), up: newUpstream()}
	w.gw = gateway.New(gateway.Config{
		Node: "n1", Metrics: gateway.NewMetrics(reg),
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err := errors.Join(w.gw.SetHandler("h", w.h), w.gw.SetConnector("c", w.up), w.gw.AddListener("l", w.lis,
		gateway.ListenerConfig{Handler: "h", Connector: "c", Limits: limits})); err != nil {
		t.Fatal(err)
	}
	return w, reg, log
}

// Invariant 6: every close has a named reason and every dropped thing a counter.
func TestEverythingIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, reg, _ := newCountedFixture(t, gateway.Limits{InboxMessages: 1, SendQueueBytes: 4})
		busy := make(chan struct{})
		w.h.bytes = func(gateway.ConnectionAdapter, []byte) error { <-busy; return nil }
		s := newSocket(2)
		c := w.lis.open(t, s)
		login(t, c, "d")
		s.in <- []byte("12345")
		synctest.Wait()
		w.up.deliver("d", "t", "kept until closed", 0)
		w.up.deliver("d", "t", "dropped at once", 0)
		c.Post(func() error { return nil })
		c.Send([]byte("123456"))
		c.Send([]byte("x"))
		close(busy)
		synctest.Wait()
		w.up.deliver("d", "t", "too late", 0)
		w.h.refuse = &gateway.HandlerError{Reason: gateway.ReasonGuestTrap, Err: errors.New("no instance")}
		_, _ = w.lis.attach(newSocket(-1))
		want := `
# HELP exgate_connections Open device connections.
# TYPE exgate_connections gauge
exgate_connections{listener="l"} 0
# HELP exgate_connections_closed_total Ended connections by close reason.
# TYPE exgate_connections_closed_total counter
exgate_connections_closed_total{listener="l",reason="send_queue_full"} 1
# HELP exgate_connections_opened_total Device connections that reached a handler.
# TYPE exgate_connections_opened_total counter
exgate_connections_opened_total{listener="l"} 1
# HELP exgate_connections_refused_total Connections that never reached a handler.
# TYPE exgate_connections_refused_total counter
exgate_connections_refused_total{listener="l",reason="guest_trap"} 1
# HELP exgate_dropped_total Messages, results and bytes dropped, by kind and reason.
# TYPE exgate_dropped_total counter
exgate_dropped_total{listener="l",what="message_after_close"} 2
exgate_dropped_total{listener="l",what="message_inbox_full"} 1
exgate_dropped_total{listener="l",what="result_after_close"} 1
exgate_dropped_total{listener="l",what="send_bytes_discarded"} 4
# HELP exgate_events_total Events handed to handlers.
# TYPE exgate_events_total counter
exgate_events_total{event="bytes",listener="l"} 1
exgate_events_total{event="closed",listener="l"} 1
exgate_events_total{event="created",listener="l"} 1
exgate_events_total{event="messages",listener="l"} 0
# HELP exgate_received_bytes_total Bytes handed to handlers.
# TYPE exgate_received_bytes_total counter
exgate_received_bytes_total{listener="l"} 5
# HELP exgate_sent_bytes_total Bytes taken from handlers for devices.
# TYPE exgate_sent_bytes_total counter
exgate_sent_bytes_total{listener="l"} 6
# HELP exgate_upstream_calls_total Handlers' calls to the upstream by result.
# TYPE exgate_upstream_calls_total counter
exgate_upstream_calls_total{call="authenticate",listener="l",result="SUCCESS"} 1
`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
		w.stop(t)
	})
}

// Invariant 9: no password, and no payload, in the log.
func TestSecretsAreNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, log := newCountedFixture(t, gateway.Limits{})
		const secret = "s3cr3t"
		w.h.bytes = func(a gateway.ConnectionAdapter, _ []byte) error {
			a.Authenticate(gateway.ClientInfo{ClientID: "d"}, secret, nil)
			time.Sleep(time.Second)
			a.Publish("t", 0, []byte(secret), nil)
			return errors.New("boom")
		}
		s := newSocket(-1)
		w.lis.open(t, s)
		s.in <- []byte(secret)
		synctest.Wait() // the handler has the bytes: shutdown may overtake a read
		w.stop(t)
		if !strings.Contains(log.String(), "boom") {
			t.Error("the handler's failure was not logged")
		}
		if strings.Contains(log.String(), secret) {
			t.Errorf("a secret in the log:\n%s", log)
		}
	})
}
