package doctor_test

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/exgate/exgate/cmd/exgate/internal/certtest"
	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/doctor"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// brokered returns a configuration with an external broker.
func brokered(t *testing.T, url string, more ...string) *config.Config {
	t.Helper()
	settings := strings.Join(append([]string{"url: '" + url + "'"}, more...), ", ")
	return configured(t, "upstream: {"+settings+"}\nlisteners: {a: {bind: 127.0.0.1:0, handler: {wasm: builtin:line}}}")
}

func TestBrokers(t *testing.T) {
	expect(t, brokered(t, mosquitto.Start(t, mosquitto.Options{}).URL()), doctor.Well, "upstream.url",
		"speaks MQTT 5 and accepts clients without a password")
	guarded := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"me": "s3cret"}})
	expect(t, brokered(t, guarded.URL()), doctor.Well, "upstream.url", "speaks MQTT 5 and requires credentials")
}

func TestBrokersThatAreNone(t *testing.T) {
	old := listen(t, func(c net.Conn) { // MQTT 3.1.1: CONNACK, unacceptable protocol version
		_, _ = c.Read(make([]byte, 512))
		_, _ = c.Write([]byte{0x20, 2, 0, 1})
	})
	closes := listen(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 512)) })
	chatty := listen(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "220 mail.example ready\r\n")
		_, _ = c.Read(make([]byte, 512))
	})
	silent := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	cert, key := certtest.Files(t, t.TempDir())
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	secure := listen(t, func(c net.Conn) {
		_ = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}}).Handshake()
	})
	for _, test := range []struct{ url, text string }{
		{"mqtt://" + gatewaytest.FreeAddress(t), "no broker listens on"},
		{"mqtt://no..host", "cannot resolve the name in no..host:1883"},
		{"mqtt://" + old, "MQTT 5"},
		{"mqtt://" + closes, "exgate speaks MQTT 5, and the broker may know only MQTT 3.1.1"},
		{"mqtt://" + silent, "no broker answered at " + silent + " within"},
		{"mqtt://" + secure, "uses TLS: write mqtts://"},
		{"mqtts://" + closes, "closes the connection during the TLS handshake: write mqtt:// if it does not use TLS"},
		{"mqtts://" + chatty, "the server does not use TLS: write mqtt://"},
	} {
		expect(t, brokered(t, test.url), doctor.Problem, "upstream.url", test.text)
	}
	expect(t, brokered(t, "mqtts://"+secure), doctor.Problem, "upstream.tls.ca",
		"the server's certificate is signed by an unknown authority")
}
