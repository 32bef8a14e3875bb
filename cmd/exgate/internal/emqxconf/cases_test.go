package emqxconf_test

import (
	"strings"
	"testing"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf"
)

// TestSpecialCases covers settings that testdata does not contain.
func TestSpecialCases(t *testing.T) {
	const handler = "gateway.exproto { handler.address = \"http://h:1\", listeners."
	for _, c := range []struct{ name, text, want, finding string }{
		{
			"keys shared with devices need no certificate", handler +
				`dtls.a { bind = 1, dtls_options.ciphers = ["PSK-AES128-GCM-SHA256"] } }`,
			"ciphers: [TLS_PSK_WITH_AES_128_GCM_SHA256]", "devices.psk",
		},
		{
			"no suite with keys is known", handler +
				`dtls.a { bind = 1, dtls_options.ciphers = ["ECDHE-RSA-AES128-GCM-SHA256", ` +
				`"RSA-PSK-AES256-CBC-SHA"] } }`,
			"file: devices.psk", "omitted: RSA-PSK-AES256-CBC-SHA",
		},
		{
			"keys over TLS", handler + `ssl.a { bind = 1, ssl_options.ciphers = "PSK-AES128-GCM-SHA256" } }`,
			"cert: /etc/emqx/certs/cert.pem", "does not support pre-shared keys",
		},
		{"a rate with its unit", handler + `tcp.a { bind = 1, max_conn_rate = "500/s" } }`, "connection_rate: 500", ""},
		{"no rate", handler + `tcp.a { bind = 1, max_conn_rate = infinity } }`, "bind: :1", "there is no limit"},
		{
			"a handler of https that is called without TLS",
			strings.Replace(handler, "http:", "https:", 1) + `tcp.a { bind = 1 } }`, "grpc: h:1", "even with https",
		},
		{
			"a number that is none", handler + `tcp.a { bind = 1, max_connections = many } }`, "bind: :1",
			"must be a whole number above 0",
		},
		{
			"a section where a value should be", handler + `tcp.a { bind { x = 1 } } }`, "type: tcp",
			"must be a port or an address",
		},
		{
			"a value where a section should be", handler + `tcp.a { bind = 1, tcp_options = 5 } }`, "bind: :1",
			"must be a section with settings",
		},
		{
			"a mountpoint that is none", handler + `tcp.a { bind = 1, mountpoint = "a/#" } }`, "bind: :1",
			"without + and #",
		},
		{
			"keys that move the cursor", handler + "tcp.a { bind = 1, \"x\\u001b[2J\\ny: z\" = 1 } }", "bind: :1",
			"x?[2J?y: z",
		},
		{
			"a duration in milliseconds", handler + `tcp.a { bind = 1, tcp_options.send_timeout = 1500 } }`,
			"send_timeout: 1.5s", "",
		},
		{
			"a duration of parts", "exproto.listener.a = 1\nexproto.listener.a.connection_handler_url = " +
				"http://h:1\nexproto.listener.a.idle_timeout = 1d2h0.5m",
			"idle_timeout: 26h0m30s", "",
		},
		{
			"handler settings of before 4.2",
			"exproto.listener.a = 1\nexproto.listener.a.proto_handler_url = https://h:1",
			"grpc: h:1", "verifies the handler's certificate",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			result, err := emqxconf.Import("f", one(c.text))
			if err != nil {
				t.Fatal(err)
			}
			loads(t, result.YAML)
			if !strings.Contains(string(result.YAML), c.want) || !strings.Contains(result.String(), c.finding) {
				t.Errorf("%s\n%s\nwant %s and %q", result.YAML, result, c.want, c.finding)
			}
		})
	}
}
