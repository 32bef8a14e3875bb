package retained_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt"
	"github.com/exgate/exgate/connectors/state/retained"
	"github.com/exgate/exgate/runtime/gateway"
)

const patience = 20 * time.Second

// openStore is the store of the gateway called node.
func openStore(t *testing.T, b *mosquitto.Broker, node string) *retained.Store {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	c, err := mqtt.New(mqtt.Config{URLs: []string{b.URL()}, Node: node, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	s := retained.New(retained.Config{
		Connector: c, Client: gateway.ClientInfo{ClientID: "exgate-" + node}, Topic: "exgate/state", ValueBytes: 4096,
		Logger: quiet,
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

func own(t *testing.T, s *retained.Store, owner, client, want string) gateway.OwnedState {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	o, value, err := s.Open(ctx, gateway.StateKey{Owner: owner, ClientID: client})
	if err != nil {
		t.Fatal(err)
	}
	if string(value) != want {
		t.Errorf("device %q of %q has the state %q, want %q", client, owner, value, want)
	}
	t.Cleanup(o.Close)
	return o
}

func save(t *testing.T, o gateway.OwnedState, value string) gateway.Result {
	t.Helper()
	done := make(chan gateway.Result, 1)
	o.Save([]byte(value), func(r gateway.Result) { done <- r })
	select {
	case r := <-done:
		return r
	case <-time.After(patience):
		t.Fatal("a save got no result")
		return gateway.Result{}
	}
}

func saved(t *testing.T, o gateway.OwnedState, value string) {
	t.Helper()
	if r := save(t, o, value); !r.Ok() {
		t.Errorf("saving %q: %v", value, r)
	}
}

// A device that comes to another gateway finds its state there, and back again.
func TestDeviceMoves(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	first, second := openStore(t, b, "first"), openStore(t, b, "second")
	o := own(t, first, "m", "dev", "")
	saved(t, o, "1")
	saved(t, o, "2")
	o.Close()
	o = own(t, second, "m", "dev", "2")
	saved(t, o, strings.Repeat("s", 4096))
	o.Close()
	o = own(t, first, "m", "dev", strings.Repeat("s", 4096))
	saved(t, o, "")
	o.Close()
	own(t, second, "m", "dev", "")
}

// The earlier owner does not overwrite the state of the later one, whichever of them the broker hears last.
func TestLateSave(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	first, second := openStore(t, b, "first"), openStore(t, b, "second")
	early := own(t, first, "m", "dev", "")
	saved(t, early, "1")
	late := own(t, second, "m", "dev", "1")
	saved(t, late, "2")
	if r := save(t, early, "late"); r.Code != gateway.CodeConnProcessNotAlive {
		t.Errorf("a late save: %v", r)
	}
	early.Close()
	late.Close()
	own(t, first, "m", "dev", "2")
}

// What is handed over at the end of a connection is there at the next login.
func TestSaveAtTheEnd(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	s := openStore(t, b, "first")
	o := own(t, s, "m", "dev", "")
	results := make(chan gateway.Result, 3)
	for _, value := range []string{"1", "2", "3"} {
		o.Save([]byte(value), func(r gateway.Result) { results <- r })
	}
	o.Close()
	own(t, s, "m", "dev", "3")
	for range 3 {
		if r := <-results; !r.Ok() {
			t.Error(r)
		}
	}
}

// Client ids never become the syntax of topics, and no two devices share a state.
func TestHostileNames(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	first := openStore(t, b, "first")
	names := []string{
		"#", "+", "a/b", "a%2Fb", "%", "%%", "$SYS", "\u00e9", "e\u0301", "..", "a b", strings.Repeat("l", 65535),
		strings.Repeat("l", 65534) + "m", "\xff",
	}
	value := func(name string) string { return "of " + name[:min(len(name), 20)] + name[len(name)-1:] }
	t.Run("group", func(t *testing.T) {
		for _, name := range names {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				o := own(t, first, "m/#", name, "")
				saved(t, o, value(name))
				o.Close()
			})
		}
	})
	second := openStore(t, b, "second")
	for _, name := range names {
		own(t, second, "m/#", name, value(name))
	}
}

// Messages of others on the topic are no state.
func TestForeignMessages(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	s := openStore(t, b, "first")
	mosquitto.Retain(t, b.Addr(), "", "", "exgate/state/m/dev", "hello")
	o := own(t, s, "m", "dev", "")
	mosquitto.Retain(t, b.Addr(), "", "", "exgate/state/m/dev", "hello")
	saved(t, o, "1")
	o.Close()
	own(t, s, "m", "dev", "1")
}

// Without retained messages no device that keeps state logs in.
func TestBrokerWithoutRetain(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Config: []string{"retain_available false"}})
	s := openStore(t, b, "first")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, _, err := s.Open(ctx, gateway.StateKey{Owner: "m", ClientID: "dev"}); err == nil {
		t.Error("a state was opened")
	}
}

// An unreachable broker ends a login within its time.
func TestBrokerIsAway(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{})
	s := openStore(t, b, "first")
	o := own(t, s, "m", "dev", "")
	saved(t, o, "1")
	b.Stop(t)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := s.Open(ctx, gateway.StateKey{Owner: "m", ClientID: "other"}); err == nil {
		t.Error("a state was opened")
	}
	result := make(chan gateway.Result, 1)
	o.Save([]byte("2"), func(r gateway.Result) { result <- r })
	b.Restart(t)
	if r := <-result; !r.Ok() {
		t.Errorf("a save that waited for the broker: %v", r)
	}
	o.Close()
	own(t, s, "m", "dev", "2")
}
