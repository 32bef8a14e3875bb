package mqtt

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/connectors/connectortest"
	"github.com/exgate/exgate/runtime/gateway"
)

// A server that is silent takes its part of the time only, and is not the first to be asked the next time.
func TestSilentServerLeavesTimeForTheNext(t *testing.T) {
	asked := make(chan struct{}, 8)
	silent := newScripted(t, func(p *peer) {
		asked <- struct{}{}
		p.next()
		p.next()
	})
	alive := newScripted(t, func(p *peer) { p.accept(false); p.serveAll() })
	c := newConnector(t, Config{URLs: []string{silent.url(), alive.url()}, ConnectTimeout: time.Hour})
	for i := range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		s, err := c.Connect(ctx, gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: "c" + strings.Repeat("c", i)}}, "", connectortest.NewDevice())
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

// The names that ALPN has for MQTT are not offered to servers of HTTP.
func TestALPNIsForMQTT(t *testing.T) {
	c := newConnector(t, Config{URLs: []string{"mqtts://127.0.0.1", "wss://127.0.0.1"}, TLS: &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"mqtt"}}})
	if got := c.servers[0].TLS.NextProtos; len(got) != 1 || got[0] != "mqtt" {
		t.Errorf("mqtts offers %v", got)
	}
	if got := c.servers[1].TLS.NextProtos; got != nil {
		t.Errorf("wss offers %v", got)
	}
}
