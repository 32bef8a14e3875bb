package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// subscriber records published messages.
type subscriber struct {
	mu   sync.Mutex
	seen map[string]bool // payloads; guarded by mu
}

func (s *subscriber) Deliver(m gateway.Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[string(m.Payload)] = true
	return true
}

func (s *subscriber) SessionLost(gateway.CloseReason) {}

func (s *subscriber) has(payload string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[payload]
}

// subscribed opens the session of a subscriber.
func subscribed(t *testing.T, url, filter string) *subscriber {
	t.Helper()
	connector, err := mqtt.New(mqtt.Config{URL: url, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connector.Close(context.Background()) })
	s := &subscriber{seen: make(map[string]bool)}
	session, err := connector.Connect(t.Context(),
		gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "subscriber"}}, "", s)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan gateway.Result, 1)
	session.Subscribe(filter, 1, func(r gateway.Result) { done <- r })
	if r := <-done; !r.Ok() {
		t.Fatal(r)
	}
	return s
}

// Only one process at a time has the spool and the gateway's connections: devices move at once, and acknowledged
// messages reach the broker.
func TestUpgradeWithASpool(t *testing.T) {
	address := gatewaytest.FreeAddress(t)
	b := mosquitto.Start(t, mosquitto.Options{Config: []string{"max_queued_messages 100000"}})
	s := subscribed(t, b.URL(), "up")
	g := newGate(t, fmt.Sprintf("upstream: {url: %s, session: shared, authentication: {chain: [allow]}, spool: "+
		"{folder: spool}, "+
		"gateway_status: {topic: gateway}}\nlisteners: {line: {bind: %q, handler: {wasm: builtin:line}}}\n", b.URL(),
		address))
	g.start(nil)
	for round := range 3 {
		d := newLineDevice(t, "tcp", address)
		if err := d.say("login m7"); err != nil {
			t.Fatalf("process %d: %v\n%s", round+1, err, g.log.String())
		}
		b.Pause(t)
		for i := range 20 {
			if err := d.say(fmt.Sprintf("pub1 up %d.%d", round, i)); err != nil {
				t.Fatalf("process %d: %v\n%s", round+1, err, g.log.String())
			}
		}
		g.mustUpgrade()
		if err := d.ping(); err == nil {
			t.Error("a device stayed with a process that has no spool any longer")
		}
		b.Resume(t)
	}
	for round := range 3 {
		for i := range 20 {
			payload := fmt.Sprintf("%d.%d", round, i)
			gatewaytest.Eventually(t, payload+" to be published", func() bool { return s.has(payload) })
		}
	}
}
