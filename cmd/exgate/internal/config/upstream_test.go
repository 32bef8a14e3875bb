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
    jwt:
      {secret_file: jwt.secret, public_key: cert.pem, jwks: "https://h/k", algorithms: [HS256, ES256],
       issuer: i, audience: a, claims: ["sub=${clientid}"], acl_claim: c, tls: {ca: cert.pem}}
  spool:
    {folder: spool, max_bytes: 2KiB, max_bytes_per_device: 1KiB, max_age: 1h, when_full: drop_oldest, drain_rate: 5}
  state: local
  state_folder: kept
  state_bytes: 1KiB
  state_max_bytes: 1MiB
listeners:
  a: {bind: ':1', handler: {wasm: m.wasm}, session: device, publish_topics: ["a/${module}/#"], subscribe_topics: []}
  b: {bind: ':2', handler: {wasm: 'builtin:line'}}
`

// TestEverySettingOfTheUpstream finds settings that the schema has but loading loses.
func TestEverySettingOfTheUpstream(t *testing.T) {
	inUpstreamFolder(t, everySettingOfTheUpstream)
	cfg := mustLoad(t, Sources{File: "exgate.yaml"})
	u := reflect.ValueOf(cfg.Upstream)
	for i := range u.NumField() {
		if name := u.Type().Field(i).Name; u.Field(i).IsZero() && name != "Embedded" &&
			name != "StateTopic" { // not together with StateFolder
			t.Errorf("%s is lost", name)
		}
	}
	for _, section := range []any{
		cfg.Upstream.TLS, cfg.Upstream.DeviceStatus, cfg.Upstream.GatewayStatus,
		cfg.Upstream.Spool, cfg.Upstream.Authentication.JWT,
	} {
		v := reflect.ValueOf(section)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s of %T is lost", v.Type().Field(i).Name, section)
			}
		}
	}
	if got := cfg.Upstream; *got.CleanStart || *got.DeviceStatus.QoS != 0 || *got.DeviceStatus.Retain ||
		got.KeepAlive != 4*time.Second {
		t.Errorf("%+v", got)
	}
	if got := cfg.Upstream.Authentication.JWT.JWKS; got != "https://h/k" {
		t.Errorf("a URL became %s", got)
	}
	a, b := cfg.Listeners["a"], cfg.Listeners["b"]
	if a.SubscribeTopics == nil || len(a.SubscribeTopics) != 0 || b.SubscribeTopics != nil ||
		!slices.Equal(a.PublishTopics, []string{"a/${module}/#"}) {
		t.Errorf("topics %+v and %+v", a, b)
	}
	if cfg.SharedSession(a) || !cfg.SharedSession(b) || !cfg.HasShared() {
		t.Error("sessions are not what the listeners say")
	}
}

// inUpstreamFolder changes to a folder with file as exgate.yaml and every file that it may name.
func inUpstreamFolder(t *testing.T, file string) {
	t.Helper()
	inFolder(t, file)
	writeCertificates(t)
	secrets(t)
	for name, text := range map[string]string{
		"headers": "# for the service\n\nAuthorization: Bearer s3cret\nX-A: b\n", "jwt.secret": strings.Repeat("s3cret",
			6),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestServers(t *testing.T) {
	for text, want := range map[string][]string{
		"mqtt://h": {"mqtt://h"}, "'mqtt://h, wss://i/mqtt'": {
			"mqtt://h",
			"wss://i/mqtt",
		}, "[mqtts://h, 'ws://[::1]:8083/m?x=1']": {"mqtts://h", "ws://[::1]:8083/m?x=1"},
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
		"line": {Wasm: "builtin:line"}, "meter": {Wasm: "/etc/exgate/meter.wasm"}, "m": {Module: "m"},
		"": {GRPC: []string{"h:1"}},
	} {
		if got := h.ModuleName(); got != want {
			t.Errorf("%+v is called %q, want %q", h, got, want)
		}
	}
}

func TestWhoIsAsked(t *testing.T) {
	if got := fmt.Sprint(Authentication{}.Asked(),
		Authentication{Chain: []string{"allow"}}.Asked()); got != "[broker] [allow]" {
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
	if want := (http.Header{"Authorization": {"Bearer s3cret"}, "X-A": {"b"}}); err != nil ||
		!reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for text, want := range map[string]string{
		"Authorization Bearer s3cret": "headers:1: must be a header such as Authorization: Bearer TOKEN",
		"A: b\nC D: s3cret":           "headers:2: must be a header such as Authorization: Bearer TOKEN",
		"A: s3cret\x00":               "headers:1: must be a header such as Authorization: Bearer TOKEN",
		strings.Repeat("A: b\n", 4e3): "headers is larger than 16384 bytes: does it contain headers?",
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

// badUpstream is an external broker with more settings from line 4 on.
func badUpstream(lines ...string) string {
	return listenerA + "upstream: {\n    url: mqtt://h,\n    " + strings.Join(lines, ",\n    ") + "}\n"
}

func badURL(url string) string { return listenerA + "upstream: {url: " + url + "}\n" }

// badSharing is badUpstream where connections are shared.
func badSharing(lines ...string) string { return badUpstream(append(lines, "session: shared")...) }

const (
	upstream2 = "exgate.yaml:2: upstream."
	upstream4 = "exgate.yaml:4: upstream."
	forms     = "like mqtt://host:1883, mqtts://host:8883, ws://host:8083/mqtt or wss://host:8084/mqtt"
)

var badUpstreams = map[string]struct{ file, want string }{
	"no server":    {badURL("[]"), upstream2 + "url: is an empty list: it must be " + forms},
	"empty server": {badURL("''"), upstream2 + "url: must be " + forms + `, not ""`},
	"one of several": {
		listenerA + "upstream:\n  url:\n    - mqtt://h\n    - tcp://h\n",
		"exgate.yaml:5: upstream.url: must be " + forms + `, not "tcp://h"`,
	},
	"server twice": {badURL("[mqtt://h, ws://h/mqtt, mqtt://h]"), upstream2 + "url: contains mqtt://h twice"},
	"port":         {badURL("mqtt://h:70000"), upstream2 + "url: has the port 70000: the highest port is 65535"},
	"path over TCP": {badURL("mqtt://h/mqtt"), upstream2 +
		"url: must end after the port: only ws:// and wss:// have a path"},
	"secret in a URL": {
		badURL("'wss://me:s3cret@h/'"),
		upstream2 + "url: must not contain a user: devices log in with their own credentials, and upstream.username " +
			"is for the gateway",
	},
	"embedded's broker": {
		listenerA + "upstream:\n  embedded: {bind: ':2'}\n  tls: {}\n  keepalive: 10s\n",
		"exgate.yaml:4: upstream.tls: applies only to a broker at upstream.url, not to the embedded one\n" +
			"exgate.yaml:5: upstream.keepalive: applies only to a broker at upstream.url, not to the embedded one",
	},
	"session without a broker": {
		listenerA + "upstream: {session: shared}\n",
		upstream2 + "session: applies only to a broker at upstream.url, not to the embedded one",
	},
	"listener without a broker": {
		badBind(":1", ", session: shared"),
		place2 + ".session: shared needs upstream.url: with the embedded broker there are no connections to share",
	},
	"unknown session": {
		badUpstream("session: none"),
		upstream4 + `session: must be device or shared, not "none"`,
	},
	"connections without shared sessions": {
		badUpstream("connections: 2"),
		upstream4 + "connections: needs session: shared, which neither upstream.session nor any listener sets",
	},
	"control topic without shared sessions": {
		badUpstream("control_topic: a"),
		upstream4 + "control_topic: needs session: shared, which neither upstream.session nor any listener sets",
	},
	"authentication without shared sessions": {
		badUpstream("authentication: {}"),
		upstream4 + "authentication: needs session: shared, which neither upstream.session nor any listener sets",
	},
	"no connection": {badSharing("connections: 0"), upstream4 + "connections: must be at least 1, not 0"},
	"control of many": {
		badSharing("control_topic: 'a/#'"),
		upstream4 + "control_topic: must not contain + or #: it is published to",
	},
	"control of one": {
		badSharing("control_topic: 'a/${node}'"),
		upstream4 + "control_topic: must be the same for all gateways, without ${node}",
	},
	"control of a device": {
		badSharing("control_topic: 'a/${clientid}'"),
		upstream4 + "control_topic: must not contain placeholders other than ${node}",
	},
	"username": {
		badUpstream(`username: "a\tb"`),
		upstream4 + "username: must not contain control characters",
	},
	"nobody's password": {
		badUpstream("password_file: token"),
		upstream4 + "password_file: needs upstream.username",
	},
	"no password": {
		badUpstream("password_file: empty, username: a"),
		upstream4 + "password_file: empty is empty: it must contain a token",
	},
	"tls without tls": {badUpstream("tls: {}"), upstream4 + "tls: needs mqtts:// or wss:// in upstream.url"},
	"missing authority": {
		badUpstream("tls: {ca: none}"),
		upstream4 + "tls.ca: none: no such file or directory",
	},
	"certificate without key": {
		badUpstream("tls: {cert: cert.pem}"),
		upstream4 + "tls: needs cert and key, or neither",
	},
	"alpn of HTTP": {
		listenerA + "upstream: {url: 'wss://h', tls: {alpn: [mqtt]}}\n",
		upstream2 + "tls.alpn: needs mqtts:// in upstream.url: over wss://, ALPN negotiates HTTP",
	},
	"empty alpn": {
		listenerA + "upstream: {url: 'mqtts://h', tls: {alpn: [mqtt, '']}}\n",
		upstream2 + "tls.alpn: must contain names of 1 to 255 bytes, such as mqtt",
	},
	"part of a second": {
		badUpstream("keepalive: 1500ms"),
		upstream4 + "keepalive: must be whole seconds, not 1.5s: MQTT counts them",
	},
	"keepalive of a day": {
		badUpstream("keepalive: 24h"),
		upstream4 + "keepalive: must be at most 18h12m15s, not 24h0m0s: MQTT allows no more",
	},
	"no expiry": {
		badUpstream("message_expiry: 0s"),
		upstream4 + "message_expiry: must be above 0, not 0s",
	},
	"part of an expiry": {
		badUpstream("session_expiry: 1ms"),
		upstream4 + "session_expiry: must be whole seconds, not 1ms: MQTT counts them",
	},
	"receive maximum": {
		badUpstream("receive_maximum: 65536"),
		upstream4 + "receive_maximum: must be at most 65535, not 65536",
	},
	"packet size": {
		badUpstream("max_packet_size: 512MiB"),
		upstream4 + "max_packet_size: must be at most 268435460, not 536870912",
	},
	"status without topic": {
		badUpstream("device_status: {qos: 1}"),
		upstream4 + "device_status: needs topic, such as devices/${clientid}/status",
	},
	"status of the gateway": {
		badUpstream("gateway_status: {}"),
		upstream4 + "gateway_status: needs topic, such as exgate/${node}/status",
	},
	"device of the gateway": {
		badUpstream("gateway_status: {topic: 'a/${clientid}'}"),
		upstream4 + "gateway_status.topic: must not contain placeholders other than ${node}",
	},
	"node of a device": {
		badUpstream("device_status: {topic: 'a/${node}'}"),
		upstream4 + "device_status.topic: ${node} is neither ${clientid}, ${username}, ${listener} nor ${module}",
	},
	"status of many": {
		badUpstream("device_status: {topic: a/+}"),
		upstream4 + "device_status.topic: must not contain + or #: it is published to",
	},
	"status of the broker": {
		badUpstream("device_status: {topic: $SYS/a}"),
		upstream4 + "device_status.topic: must not begin with $: such topics are the broker's own",
	},
	"qos": {
		badUpstream("device_status: {topic: a, qos: 3}"),
		upstream4 + "device_status.qos: must be at most 2, not 3",
	},
	"status of a service": {
		"listeners: {a: {bind: ':1', handler: {grpc: 'h:1'}}}\nupstream: {\n    url: mqtt://h,\n    device_status: " +
			"{topic: 'a/${module}'}}\n",
		upstream4 + "device_status.topic: ${module} has no value on listener a, whose handler is a service",
	},
	"spool without folder": {
		badUpstream("spool: {max_age: 1h}"),
		upstream4 + "spool: needs folder, where messages wait for the broker",
	},
	"state without folder": {
		badUpstream("state: local"),
		upstream4 + "state: needs upstream.state_folder, where the state of devices is kept",
	},
	"state in the spool": {
		badUpstream("spool: {folder: x}, state: local, state_folder: ./x"),
		upstream4 + "state_folder: must not be the folder of the spool",
	},
	"bytes of no state": {
		badUpstream("state_bytes: 1KiB"),
		upstream4 + "state_bytes: needs upstream.state, which says where the state of devices is kept",
	},
	"folder of a state at the broker": {
		badUpstream("state_folder: x, state: broker"),
		upstream4 + "state_folder: applies only with upstream.state: local",
	},
	"topic of states for each node": {
		badUpstream("state_topic: 'a/${node}', state: broker"),
		upstream4 + "state_topic: must be the same for all gateways, without ${node}",
	},
	"spool is a file": {
		badUpstream("spool: {folder: m.wasm}"),
		upstream4 + "spool.folder: m.wasm is a file, not a folder",
	},
	"spool of one device": {
		badUpstream("spool: {folder: x, max_bytes_per_device: 2GiB}"),
		upstream4 + "spool.max_bytes_per_device: is above max_bytes",
	},
	"full spool": {
		badUpstream("spool: {folder: x, when_full: wait}"),
		upstream4 + `spool.when_full: must be reject or drop_oldest, not "wait"`,
	},
	"unknown placeholder": {
		badBind(":1", ", mountpoint: 'a/${zone}/'"),
		place2 + ".mountpoint: ${zone} is neither ${clientid}, ${username}, ${listener} nor ${module}",
	},
	"pattern": {
		"listeners:\n  a:\n    bind: ':1'\n    handler: {wasm: m.wasm}\n    publish_topics:\n      - " +
			"a/#\n      - a/#/b\n",
		`exgate.yaml:7: listeners.a.publish_topics: "a/#/b": '#' must be the last level of a filter, '+' a whole level`,
	},
	"pattern's placeholder": {
		badBind(":1", ", subscribe_topics: ['${node}']"),
		place2 + ".subscribe_topics: ${node} is neither ${clientid}, ${username}, ${listener} nor ${module}",
	},
	"module of a service": {
		"listeners:\n  a: {bind: ':1', handler: {grpc: 'h:1'},\n    mountpoint: 'a/${module}/',\n    publish_topics: " +
			"['${module}']}\n",
		place3 + ".mountpoint: ${module} needs handler.wasm, handler.script or handler.module\n" + place4 +
			".publish_topics: ${module} needs handler.wasm, handler.script or handler.module",
	},
}

func TestWhatIsWrongWithTheUpstream(t *testing.T) {
	for name, test := range badUpstreams {
		t.Run(name, func(t *testing.T) { refuses(t, test.file, test.want) })
	}
}

func refuses(t *testing.T, file, want string) {
	t.Helper()
	inUpstreamFolder(t, file)
	if _, err := Load(Sources{File: "exgate.yaml"}); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

const chain4 = upstream4 + "authentication."

var badChains = map[string]struct{ chain, want string }{
	"unknown": {"chain: [ldap]", "chain: must contain broker, file, http, jwt or allow, not \"ldap\""},
	"twice": {
		"chain: [broker, allow, broker]",
		"chain: allow accepts every device, so authenticators after it are never used: put it last\n" + chain4 +
			"chain: contains broker twice",
	},
	"no file":    {"chain: [file]", "chain: file needs upstream.authentication.file"},
	"no service": {"chain: [http, broker]", "chain: http needs upstream.authentication.http"},
	"file that none asks": {"file: users.yaml", "file: is not in use: add file to upstream.authentication.chain, " +
		"which is [broker]"},
	"token that none asks": {
		"chain: [allow], jwt: {secret_file: jwt.secret}",
		"jwt: is not in use: add jwt to upstream.authentication.chain, which is [allow]",
	},
	"missing file":  {"chain: [file], file: none", "file: none: no such file or directory"},
	"missing rules": {"chain: [allow], rules: none", "rules: none: no such file or directory"},
	"no users": {
		"chain: [file], file: exgate.yaml",
		`file: exgate.yaml:1: unknown key "listeners": want anonymous, rules, users`,
	},
	"no url": {
		"chain: [http], http: {timeout: 1s}",
		"http: needs url, such as https://auth.example/exgate",
	},
	"no HTTP": {
		"chain: [http], http: {url: 'ftp://a:s3cret@h'}",
		`http.url: must be like http://host:8080/path or https://host/path, not "...@h"`,
	},
	"user of a url": {
		"chain: [http], http: {url: 'http://a:s3cret@h'}",
		"http.url: must not contain a user: put an Authorization header into headers_file",
	},
	"tls of http": {
		"chain: [http], http: {url: 'http://h', tls: {}}",
		"http.tls: needs https:// in upstream.authentication.http.url",
	},
	"bad headers": {
		"chain: [http], http: {url: 'http://h', headers_file: token}",
		"http.headers_file: token:1: must be a header such as Authorization: Bearer TOKEN",
	},
	"no key": {
		"chain: [jwt], jwt: {issuer: a}",
		"jwt: needs secret_file, public_key or jwks to verify tokens",
	},
	"missing secret": {
		"chain: [jwt], jwt: {secret_file: none}",
		"jwt.secret_file: none: no such file or directory",
	},
	"plain keys": {
		"chain: [jwt], jwt: {jwks: 'http://h/k'}",
		`jwt.jwks: must be a file or a URL such as https://host/path, not "http://h/k"`,
	},
	"missing keys": {"chain: [jwt], jwt: {jwks: none}", "jwt.jwks: none: no such file or directory"},
	"claim": {
		"chain: [jwt], jwt: {secret_file: jwt.secret, claims: [sub]}",
		`jwt.claims: must contain name=value such as sub=${clientid}, not "sub"`,
	},
	"claim's placeholder": {
		"chain: [jwt], jwt: {secret_file: jwt.secret, claims: ['sub=${id}']}",
		"jwt.claims: ${id} is neither ${clientid}, ${username}, ${listener} nor ${module}",
	},
	"algorithm": {
		"chain: [jwt], jwt: {secret_file: jwt.secret, algorithms: [none]}",
		`jwt.algorithms: must contain HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or ` +
			`ES512, not "none"`,
	},
	"short secret": {
		"chain: [jwt], jwt: {secret_file: token}",
		"jwt: reading the JWT keys: token: the secret has 6 bytes: HS256 needs at least 32",
	},
	"no public key": {
		"chain: [jwt], jwt: {public_key: token}",
		"jwt: reading the JWT keys: token: want a public key or a certificate in PEM",
	},
	"tls of a file": {"chain: [jwt], jwt: {secret_file: jwt.secret, tls: {}}", "jwt.tls: is for jwks at a URL"},
}

func TestWhatIsWrongWithAuthentication(t *testing.T) {
	for name, test := range badChains {
		t.Run(name, func(t *testing.T) { refuses(t, badSharing("authentication: {"+test.chain+"}"), chain4+test.want) })
	}
}

// The content of a secret file never appears in a message.
func TestSecretsOfTheUpstreamAreNotShown(t *testing.T) {
	for _, setting := range []string{
		"username: a, password_file: lines",
		"authentication: {chain: [http], http: {url: 'http://h', headers_file: lines}}",
	} {
		inUpstreamFolder(t, badSharing(setting))
		if err := os.WriteFile("lines", []byte("s3cret word\nother"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(Sources{File: "exgate.yaml"}); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Error(err)
		}
	}
}

// A status below the device's own name is a topic, though its text begins with $.
func TestStatusBelowAPlaceholder(t *testing.T) {
	for _, topic := range []string{"${clientid}/status", "${username}", "${listener}/${clientid}"} {
		inFolder(t, "upstream: {url: 'mqtt://h', device_status: {topic: '"+topic+"'}}\n")
		if got := mustLoad(t, Sources{File: "exgate.yaml"}).Upstream.DeviceStatus.Topic; got != topic {
			t.Errorf("got %q, want %q", got, topic)
		}
	}
}
