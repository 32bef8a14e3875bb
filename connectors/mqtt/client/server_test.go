package client

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/connectors/mqtt/brokertest"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// TestFailover connects to the second server if the first is down, stays there, and moves to the third when the second
// ends.
func TestFailover(t *testing.T) {
	second, third := mosquitto.Start(t, mosquitto.Options{}), mosquitto.Start(t, mosquitto.Options{WebSocket: true})
	cfg := Quick("mqtt://" + gatewaytest.FreeAddress(t))
	cfg.URLs = []string{second.URL(), third.WebSocketURL()}
	c := newDevices(t, cfg)
	s, d := brokertest.Connect(t, c, "device")
	if got := c.broker.server().HostPort; got != second.Addr() {
		t.Fatalf("connected to %s", got)
	}
	other, _ := brokertest.Connect(t, c, "other")
	wantThere(t, second, "from-second", other)
	if r := connectortest.Subscribe(t, s, "t", 1); !r.Ok() {
		t.Fatal(r)
	}
	second.Kill()
	AwaitLoss(t, c.broker, "network", 2)
	if r := connectortest.Publish(t, s, "t", 1, "x"); !r.Ok() {
		t.Fatal(r)
	}
	d.Next(t)
	if !strings.HasPrefix(c.broker.server().WebSocket, "ws://") {
		t.Fatalf("connected to %s", c.broker.server().HostPort)
	}
	second.Restart(t)
	late, _ := brokertest.Connect(t, c, "late") // the third server is kept
	wantThere(t, third, "from-third", late)
	if d.Losses() != 0 {
		t.Fatal("the session was lost")
	}
}

// wantThere expects a message that s publishes to arrive at the broker b.
func wantThere(t *testing.T, b *mosquitto.Broker, topic string, s gateway.Session) {
	t.Helper()
	witness, d := brokertest.Connect(t, newDevices(t, Config{URL: b.URL()}), "witness")
	defer witness.Close()
	if r := connectortest.Subscribe(t, witness, topic, 1); !r.Ok() {
		t.Fatal(r)
	}
	if r := connectortest.Publish(t, s, topic, 1, "x"); !r.Ok() {
		t.Fatal(r)
	}
	d.Next(t)
}

// TestRefusalIsFinal expects no attempt at the next server after a wrong password.
func TestRefusalIsFinal(t *testing.T) {
	first := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"u": "p"}})
	second := brokertest.NewScripted(t, func(*brokertest.Peer) { t.Error("went to the next server") })
	var refused *gateway.ResultError
	err := brokertest.DialBy(t, newDevices(t, Config{URLs: []string{first.URL(), second.URL()}}))
	if !errors.As(err, &refused) || refused.Result.Code != gateway.CodePermissionDeny {
		t.Fatal(err)
	}
}

// TestNoServer expects an error that names each server.
func TestNoServer(t *testing.T) {
	urls := []string{"mqtt://" + gatewaytest.FreeAddress(t), "ws://" + gatewaytest.FreeAddress(t) + "/mqtt"}
	err := brokertest.DialBy(t, newDevices(t, Config{URLs: urls}))
	var refused *gateway.ResultError
	if errors.As(err, &refused) {
		t.Fatal(err)
	}
	for _, url := range urls {
		if addr := strings.Split(url, "/")[2]; !strings.Contains(err.Error(), addr) {
			t.Errorf("the error does not name %s: %v", addr, err)
		}
	}
}

// A silent server may use only its share of the time, and must not be tried first the next time.
func TestSilentServerLeavesTimeForTheNext(t *testing.T) {
	asked := make(chan struct{}, 8)
	silent := brokertest.NewScripted(t, func(p *brokertest.Peer) {
		asked <- struct{}{}
		p.Next()
		p.Next()
	})
	alive := brokertest.NewScripted(t, func(p *brokertest.Peer) { p.Accept(false); p.ServeAll() })
	c := newDevices(t, Config{URLs: []string{silent.URL(), alive.URL()}, ConnectTimeout: time.Hour})
	for i := range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
		s, err := c.Connect(ctx, gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "c" + strings.Repeat("c", i)}},
			"", connectortest.NewDevice())
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	if len(asked) != 1 {
		t.Errorf("the silent server was asked %d times", len(asked))
	}
}

// ALPN names for MQTT must not be offered to HTTP servers.
func TestALPNIsForMQTT(t *testing.T) {
	c := newDevices(t, Config{
		URLs: []string{"mqtts://127.0.0.1", "wss://127.0.0.1"},
		TLS:  &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"mqtt"}},
	})
	if got := c.broker.servers[0].TLS.NextProtos; len(got) != 1 || got[0] != "mqtt" {
		t.Errorf("mqtts offers %v", got)
	}
	if got := c.broker.servers[1].TLS.NextProtos; got != nil {
		t.Errorf("wss offers %v", got)
	}
}
