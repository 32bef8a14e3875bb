package config

import (
	"fmt"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const everySettingOfTheUpstream = `
upstream:
  url: [mqtts://a, "wss://b/mqtt"]
  session: shared
  connections: 2
  control_topic: c
  username: me
  password_file: token
  tls: {ca: cert.pem, cert: cert.pem, key: key.pem, server_name: a, alpn: [mqtt, x]}
  connect_timeout: 1s
  packet_timeout: 2s
  ack_timeout: 3s
  keepalive: 4s
  session_expiry: 5s
  clean_start: false
  receive_maximum: 6
  max_packet_size: 7KiB
  max_dials: 8
  reconnect_delay: 9s
  message_expiry: 10s
  user_properties: true
  device_status: {topic: "d/${clientid}/${module}", online: on, offline: "off", qos: 0, retain: false}
  gateway_status: {topic: "g/${node}", online: up, offline: down}
  authentication:
    chain: [file, http, jwt, broker, allow]
    file: users.yaml
    http: {url: "https://h/a", timeout: 1s, cache: 2s, headers_file: headers, tls: {ca: cert.pem}}
    jwt: {secret_file: jwt.secret, public_key: cert.pem, jwks: "https://h/k", algorithms: [HS256, ES256], issuer: i, audience: a, claims: ["sub=${clientid}"], acl_claim: c, tls: {ca: cert.pem}}
  spool: {folder: spool, max_bytes: 2KiB, max_bytes_per_device: 1KiB, max_age: 1h, when_full: drop_oldest, drain_rate: 5}
listeners:
  a: {bind: ':1', handler: {wasm: m.wasm}, session: device, publish_topics: ["a/${module}/#"], subscribe_topics: []}
  b: {bind: ':2', handler: {wasm: 'builtin:line'}}
`

// TestEverySettingOfTheUpstream finds what the schema has and the reading loses.
func TestEverySettingOfTheUpstream(t *testing.T) {
	inUpstreamFolder(t, everySettingOfTheUpstream)
	cfg := mustLoad(t, Sources{File: "exgate.yaml"})
	u := reflect.ValueOf(cfg.Upstream)
	for i := range u.NumField() {
		if name := u.Type().Field(i).Name; u.Field(i).IsZero() && name != "Embedded" {
			t.Errorf("%s is lost", name)
		}
	}
	for _, section := range []any{cfg.Upstream.TLS, cfg.Upstream.DeviceStatus, cfg.Upstream.GatewayStatus, cfg.Upstream.Spool, cfg.Upstream.Authentication.JWT} {
		v := reflect.ValueOf(section)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s of %T is lost", v.Type().Field(i).Name, section)
			}
		}
	}
	if got := cfg.Upstream; *got.CleanStart || *got.DeviceStatus.QoS != 0 || *got.DeviceStatus.Retain || got.KeepAlive != 4*time.Second {
		t.Errorf("%+v", got)
	}
	if got := cfg.Upstream.Authentication.JWT.JWKS; got != "https://h/k" {
		t.Errorf("a URL became %s", got)
	}
	a, b := cfg.Listeners["a"], cfg.Listeners["b"]
	if a.SubscribeTopics == nil || len(a.SubscribeTopics) != 0 || b.SubscribeTopics != nil || !slices.Equal(a.PublishTopics, []string{"a/${module}/#"}) {
		t.Errorf("topics %+v and %+v", a, b)
	}
	if cfg.SharedSession(a) || !cfg.SharedSession(b) || !cfg.HasShared() {
		t.Error("sessions are not what the listeners say")
	}
}

// inUpstreamFolder goes where file is exgate.yaml, beside every file that it may name.
func inUpstreamFolder(t *testing.T, file string) {
	t.Helper()
	inFolder(t, file)
	writeCertificates(t)
	secrets(t)
	for name, text := range map[string]string{
		"headers": "# for the service\n\nAuthorization: Bearer s3cret\nX-A: b\n", "jwt.secret": strings.Repeat("s3cret", 6),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestServers(t *testing.T) {
	for text, want := range map[string][]string{
		"mqtt://h": {"mqtt://h"}, "'mqtt://h, wss://i/mqtt'": {"mqtt://h", "wss://i/mqtt"}, "[mqtts://h, 'ws://[::1]:8083/m?x=1']": {"mqtts://h", "ws://[::1]:8083/m?x=1"},
	} {
		inFolder(t, listenerA+"upstream: {url: "+text+"}\n")
		if got := mustLoad(t, Sources{File: "exgate.yaml"}).Upstream.URL; !slices.Equal(got, want) {
			t.Errorf("url: %s is %q, want %q", text, got, want)
		}
	}
	cfg := mustLoad(t, Sources{Flags: flagsOf(t, "--upstream-url=mqtt://a,mqtt://b")})
	if got := cfg.Upstream.URL; !slices.Equal(got, []string{"mqtt://a", "mqtt://b"}) {
		t.Errorf("--upstream-url is %q", got)
	}
}

func TestModuleNames(t *testing.T) {
	for want, h := range map[string]Handler{
		"line": {Wasm: "builtin:line"}, "meter": {Wasm: "/etc/exgate/meter.wasm"}, "m": {Module: "m"}, "": {GRPC: []string{"h:1"}},
	} {
		if got := h.ModuleName(); got != want {
			t.Errorf("%+v is called %q, want %q", h, got, want)
		}
	}
}

func TestWhoIsAsked(t *testing.T) {
	if got := fmt.Sprint(Authentication{}.Asked(), Authentication{Chain: []string{"allow"}}.Asked()); got != "[broker] [allow]" {
		t.Error(got)
	}
}

// A module that comes later may have a listener whose devices share connections.
func TestSharedSessionsOfModulesToCome(t *testing.T) {
	inFolder(t, "upstream: {url: mqtt://h, connections: 3, authentication: {chain: [allow]}}\nmodules: .\n")
	if cfg := mustLoad(t, Sources{File: "exgate.yaml"}); cfg.HasShared() {
		t.Error("a session is shared")
	}
}

func TestHeaders(t *testing.T) {
	inUpstreamFolder(t, "")
	got, err := ReadHeaders("headers")
	if want := (http.Header{"Authorization": {"Bearer s3cret"}, "X-A": {"b"}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for text, want := range map[string]string{
		"Authorization Bearer s3cret": "headers:1: must be a header such as Authorization: Bearer TOKEN",
		"A: b\nC D: s3cret":           "headers:2: must be a header such as Authorization: Bearer TOKEN",
		"A: s3cret\x00":               "headers:1: must be a header such as Authorization: Bearer TOKEN",
		strings.Repeat("A: b\n", 4e3): "headers holds more than 16384 bytes: does it hold headers?",
	} {
		if err := os.WriteFile("headers", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadHeaders("headers"); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	for _, seed := range []string{"", "A: b\r\n#c\n\n", "A:\nA: b", ":", "A b: c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		headers, err := parseHeaders("f", text)
		if err != nil {
			return
		}
		var written strings.Builder
		if err := headers.Write(&written); err != nil {
			t.Fatal(err)
		}
		again, err := parseHeaders("f", written.String())
		if err != nil || !reflect.DeepEqual(again, headers) {
			t.Errorf("%q became %q: %v", headers, again, err)
		}
	})
}
