package doctor_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exgate/exgate/cmd/exgate/internal/certtest"
	"github.com/exgate/exgate/cmd/exgate/internal/doctor"
	"github.com/exgate/exgate/connectors/connectortest/mosquitto"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// passwordFile returns the setting for a file with a password.
func passwordFile(t *testing.T, password string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return "password_file: " + file
}

func TestAccountOfTheGateway(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"me": "s3cret"}})
	right, wrong := passwordFile(t, "s3cret"), passwordFile(t, "other")
	expect(t, brokered(t, b.URL(), "username: me", right), doctor.Well, "upstream.url",
		"accepts the gateway's account me")
	expect(t, brokered(t, b.URL(), "username: me", wrong), doctor.Problem, "upstream.password_file",
		"rejects the gateway's account me with the password in ")
	expect(t, brokered(t, b.URL(), "username: me"), doctor.Problem, "upstream.username",
		"rejects the gateway's account me without a password")
	expect(t, brokered(t, b.URL(), "session: shared"), doctor.Problem, "upstream.username",
		"shared connections need an account")
	expect(t, brokered(t, b.URL(), "session: shared, username: me", right), doctor.Well, "upstream.url",
		"accepts the gateway's account me")
}

func TestTopicOfOtherGateways(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"me": "s3cret"}, Dynamic: true})
	settings := []string{"session: shared, username: me", passwordFile(t, "s3cret")}
	expect(t, brokered(t, b.URL(), settings...), doctor.Well, "upstream.url", "accepts the gateway's account me")
	b.Deny(t, "me", mosquitto.Publish, "exgate/control/#")
	expect(t, brokered(t, b.URL(), settings...), doctor.Problem, "upstream.control_topic",
		"does not let the gateway publish to exgate/control/claims")
	b.Deny(t, "me", mosquitto.Subscribe, "exgate/control/#")
	expect(t, brokered(t, b.URL(), settings...), doctor.Problem, "upstream.control_topic",
		"does not let the gateway subscribe to exgate/control/claims")
	expect(t, brokered(t, b.URL(), append(settings, "control_topic: gateways")...), doctor.Well, "upstream.url",
		"accepts the gateway's account me")
}

func TestAccountMayNotKeepStates(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Users: map[string]string{"me": "s3cret"}, Dynamic: true})
	settings := []string{"state: broker, username: me", passwordFile(t, "s3cret")}
	expect(t, brokered(t, b.URL(), settings...), doctor.Well, "upstream.url", "accepts the gateway's account me")
	b.Deny(t, "me", mosquitto.Publish, "exgate/state/#")
	expect(t, brokered(t, b.URL(), settings...), doctor.Problem, "upstream.state_topic",
		"does not let the gateway publish to exgate/state/exgate-doctor/")
}

func TestBrokerWithoutRetainedMessages(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{Config: []string{"retain_available false"}})
	expect(t, brokered(t, b.URL(), "state: broker"), doctor.Problem, "upstream.state", "use state: local")
	const status = "device_status: {topic: 'a/${clientid}'"
	expect(t, brokered(t, b.URL(), status+"}"), doctor.Problem, "upstream.device_status.retain",
		"does not support retained messages: set it to false")
	expect(t, brokered(t, b.URL(), status+", retain: false}"), doctor.Well, "upstream.url", "speaks MQTT 5")
	expect(t, brokered(t, mosquitto.Start(t, mosquitto.Options{}).URL(), status+"}"), doctor.Well, "upstream.url",
		"speaks MQTT 5")
}

func TestEachServerIsVisited(t *testing.T) {
	b, nobody := mosquitto.Start(t, mosquitto.Options{}), gatewaytest.FreeAddress(t)
	cfg := brokered(t, b.URL()+", mqtt://"+nobody)
	expect(t, cfg, doctor.Problem, "upstream.url", "no broker listens on "+nobody)
	found := false
	for _, f := range doctor.Examine(t.Context(), cfg) {
		found = found || f.State == doctor.Well && f.Setting == "upstream.url"
	}
	if !found {
		t.Error("nothing says that the first server is well")
	}
}

func TestTLSOfBrokers(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{TLS: true})
	trusted := fmt.Sprintf("ca: %s", b.CAFile())
	other, _ := certtest.Files(t, t.TempDir())
	expect(t, brokered(t, b.TLSURL(), "tls: {"+trusted+"}"), doctor.Well, "upstream.url", "speaks MQTT 5")
	expect(t, brokered(t, b.TLSURL(), "tls: {ca: "+other+"}"), doctor.Problem, "upstream.tls.ca",
		"is not signed by an authority in "+other)
	expect(t, brokered(t, b.TLSURL(), "tls: {"+trusted+", server_name: x.example}"), doctor.Problem,
		"upstream.tls.server_name", "not for x.example")

	mutual := mosquitto.Start(t, mosquitto.Options{TLS: true, ClientCertificates: true})
	trusted = fmt.Sprintf("ca: %s", mutual.CAFile())
	cert, key := mutual.ClientCertificate(t, "gateway")
	expect(t, brokered(t, mutual.TLSURL(), "tls: {"+trusted+"}"), doctor.Problem, "upstream.tls.cert",
		"requires a client certificate")
	expect(t, brokered(t, mutual.TLSURL(), fmt.Sprintf("tls: {%s, cert: %s, key: %s}", trusted, cert, key)),
		doctor.Well, "upstream.url", "speaks MQTT 5")
}

func TestWebSocketOfBrokers(t *testing.T) {
	b := mosquitto.Start(t, mosquitto.Options{TLS: true, WebSocket: true})
	ca := fmt.Sprintf("tls: {ca: %s}", b.CAFile())
	expect(t, brokered(t, b.WebSocketURL()), doctor.Well, "upstream.url", "speaks MQTT 5")
	expect(t, brokered(t, b.SecureWebSocketURL(), ca), doctor.Well, "upstream.url", "speaks MQTT 5")
	expect(t, brokered(t, strings.Replace(b.TLSURL(), "mqtts", "wss", 1), ca), doctor.Problem, "upstream.url",
		"write mqtts:// if this is its port for MQTT")
	expect(t, brokered(t, strings.Replace(b.SecureWebSocketURL(), "wss", "ws", 1)), doctor.Problem, "upstream.url",
		"uses TLS: write wss://")
	expect(t, brokered(t, strings.Replace(b.URL(), "mqtt", "ws", 1)), doctor.Problem, "upstream.url",
		"does not speak WebSocket: write mqtt://")

	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	expect(t, brokered(t, "ws://"+page.Listener.Addr().String()+"/x"), doctor.Problem, "upstream.url",
		"answers 404 instead of WebSocket at the path /x")
}
