package config

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/exgate/exgate/cmd/exgate/internal/certtest"
)

// badListener is a listener on line 2 with more settings from line 3 on.
func badListener(kind string, lines ...string) string {
	return fmt.Sprintf("listeners:\n  a: {type: %s, bind: ':1', handler: {wasm: m.wasm},\n    %s}\n", kind,
		strings.Join(lines, ",\n    "))
}

func badBind(bind, more string) string {
	return "listeners:\n  a: {bind: '" + bind + "', handler: {wasm: m.wasm}" + more + "}\n"
}

const (
	certificate = "tls: {cert: cert.pem, key: key.pem}"
	place2      = "exgate.yaml:2: listeners.a"
	place3      = "exgate.yaml:3: listeners.a"
	place4      = "exgate.yaml:4: listeners.a"
)

var badListeners = map[string]struct{ file, want string }{
	"unknown type": {
		badListener("ssl"),
		`exgate.yaml:2: listeners.a.type: must be tcp, tls, ws, wss, udp, dtls or dial, not "ssl"`,
	},
	"tls on tcp": {
		badListener("tcp", certificate),
		place3 + ".tls: does not fit a tcp listener: it needs type: tls, wss or dtls",
	},
	"tls version on udp": {
		badListener("udp", "tls: {min_version: 1.2}"),
		place3 + ".tls: does not fit a udp listener: it needs type: tls, wss or dtls",
	},
	"tls version on dtls": {
		badListener("dtls", certificate, "tls: {}"),
		place4 + ".tls: is set twice, first on line 3",
	},
	"version of dtls": {
		badListener("dtls", "tls: {cert: cert.pem, key: key.pem, min_version: 1.3}"),
		place3 + ".tls.min_version: does not fit a dtls listener: it needs type: tls or wss",
	},
	"unknown version": {
		badListener("tls", "tls: {cert: cert.pem, key: key.pem, min_version: 1.4}"),
		place3 + `.tls.min_version: must be 1.0, 1.1, 1.2 or 1.3, not "1.4"`,
	},
	"versions": {badListener("tls", "tls: {cert: cert.pem, key: key.pem, min_version: 1.3, "+
		"max_version: 1.2}"), place3 + ".tls.max_version: is below min_version"},
	"psk on tls": {
		badListener("tls", certificate, "psk: {file: keys}"),
		place4 + ".psk: crypto/tls has no pre-shared keys: use type: dtls, or a certificate",
	},
	"psk on udp": {
		badListener("udp", "psk: {file: keys}"),
		place3 + ".psk: does not fit a udp listener: it needs type: dtls",
	},
	"proxy on udp": {
		badListener("udp", "proxy_protocol: {trusted: [10.0.0.0/8]}"),
		place3 + ".proxy_protocol: does not fit a udp listener: it needs type: tcp, tls, ws or wss",
	},
	"udp on tcp": {
		badListener("tcp", "udp: {queue: 1}"),
		place3 + ".udp: does not fit a tcp listener: it needs type: udp or dtls",
	},
	"keepalive on dtls": {
		badListener("dtls", certificate, "socket: {keepalive: 1s}"),
		place4 + ".socket.keepalive: does not fit a dtls listener: it needs type: tcp, tls, ws, wss or dial",
	},
	"backlog on udp": {
		badListener("udp", "socket: {backlog: 1}"),
		place3 + ".socket.backlog: does not fit a udp listener: it needs type: tcp, tls, ws or wss",
	},
	"reuse port on udp": {
		badListener("udp", "socket: {reuse_port: true}"),
		place3 + ".socket.reuse_port: does not fit a udp listener: it needs type: tcp, tls, ws or wss",
	},
	"ids on tls": {
		badListener("tls", "tls: {cert: cert.pem, key: key.pem, connection_ids: true}"),
		place3 + ".tls.connection_ids: does not fit a tls listener: it needs type: dtls",
	},
	"tls without cert": {badListener("tls"), place2 +
		": needs tls.cert and tls.key, the PEM files of its certificate and private key"},
	"tls without key": {
		badListener("tls", "tls: {cert: cert.pem}"),
		place2 + ": needs tls.cert and tls.key, the PEM files of its certificate and private key",
	},
	"missing cert": {
		badListener("tls", "tls: {cert: none.pem, key: key.pem}"),
		place3 + ".tls.cert: none.pem: no such file or directory",
	},
	"folder for key": {
		badListener("tls", "tls: {cert: cert.pem, key: .}"),
		place3 + ".tls.key: . is a folder, not a file",
	},
	"no certificate": {
		badListener("tls", "tls: {cert: m.wasm, key: key.pem}"),
		place3 + ".tls.cert: m.wasm with the key key.pem: tls: failed to find any PEM data in certificate input",
	},
	"another key": {
		badListener("tls", "tls: {cert: cert.pem, key: other.pem}"),
		place3 + ".tls.cert: cert.pem with the key other.pem: tls: private key does not match public key",
	},
	"verify without ca": {
		badListener("tls", "tls: {cert: cert.pem, key: key.pem, verify: peer}"),
		place3 + ".tls.verify: peer needs ca, the PEM file of the authority that signs device certificates",
	},
	"ca without any": {
		badListener("tls", "tls: {cert: cert.pem, key: key.pem, ca: key.pem}"),
		place3 + ".tls.ca: key.pem contains no PEM certificate",
	},
	"fail, unverified": {
		badListener("tls", "tls: {cert: cert.pem, key: key.pem, fail_if_no_cert: true}"),
		place3 + ".tls.fail_if_no_cert: needs verify: peer",
	},
	"unknown verify": {
		badListener("tls", "tls: {cert: cert.pem, key: key.pem, verify: true}"),
		place3 + ".tls.verify: must be none or peer, not true",
	},
	"cipher of tls": {
		badListener("tls", "tls: {cert: cert.pem, key: key.pem, ciphers: [RC5]}"),
		place3 + `.tls.ciphers: unknown cipher suite "RC5"`,
	},
	"cipher of dtls": {
		badListener("dtls", "tls: {cert: cert.pem, key: key.pem, ciphers: [RC5]}"),
		place3 + `.tls.ciphers: unknown DTLS cipher suite "RC5"`,
	},
	"key in psk file": {
		badListener("dtls", "psk: {file: users.yaml}"),
		place3 + ".psk.file: reading pre-shared keys: users.yaml:1: the key is not hexadecimal",
	},
	"dtls with nothing": {badListener("dtls"), place2 +
		": needs tls.cert and tls.key, or psk.file, the keys shared with devices"},
	"psk without file": {
		badListener("dtls", "psk: {identity_hint: x}"),
		place3 + ".psk: needs file, the keys shared with devices",
	},
	"psk file": {
		badListener("dtls", "psk: {file: none}"),
		place3 + ".psk.file: none: no such file or directory",
	},
	"proxy, untrusted": {
		badListener("tcp", "proxy_protocol: {timeout: 1s}"),
		place3 + ".proxy_protocol: needs trusted, the addresses of the load balancers, such as [10.0.0.0/8]",
	},
	"proxy, bad network": {
		badListener("tcp", "proxy_protocol: {trusted: [10.0.0.0/8,\n    10.0.0.0/33]}"),
		place4 + `.proxy_protocol.trusted: must contain addresses such as 192.0.2.7 or 10.0.0.0/8, not "10.0.0.0/33"`,
	},
	"text for a list": {
		badListener("tcp", "proxy_protocol: {trusted: 10.0.0.0/8}"),
		place3 + `.proxy_protocol.trusted: must be a list such as [a, b], not the text "10.0.0.0/8"`,
	},
	"number in a list": {
		badListener("tcp", "access: {rules: [deny all,\n    7]}"),
		place4 + ".access.rules: must contain strings, not the number 7",
	},
	"rules and file": {
		badListener("tcp", "access: {rules: [deny all],\n    file: m.wasm}"),
		place4 + ".access.file: conflicts with listeners.a.access.rules (exgate.yaml:3): remove one",
	},
	"access file": {
		badListener("tcp", "access: {file: none}"),
		place3 + ".access.file: none: no such file or directory",
	},
	"access rule": {
		badListener("tcp", "access: {rules: [deny all,\n    allow 10.0.0.0/x]}"),
		place4 + `.access.rules: "allow 10.0.0.0/x": "x" is not a prefix length: use 0 to 32`,
	},
	"access rule's word": {
		badListener("tcp", "access: {rules: [permit all]}"),
		place3 + `.access.rules: "permit all": "permit" is neither allow nor deny`,
	},
	"empty access rule": {
		badListener("tcp", "access: {rules: ['']}"),
		place3 + `.access.rules: "": it is empty: write allow or deny and an address, a prefix or all`,
	},
	"access file's line": {
		badListener("tcp", "access: {file: users.yaml}"),
		place3 + `.access.file: access list users.yaml, line 1, "anonymous: true": "anonymous:" is ` +
			`neither allow nor deny`,
	},
	"ban": {
		badListener("tcp", "ban: {window: 1m}"),
		place3 + ".ban: needs failures, the number after which a source is refused",
	},
	"no connections": {
		badListener("tcp", "max_connections: 0"),
		place3 + ".max_connections: must be at least 1, not 0",
	},
	"connection burst": {
		badListener("tcp", "connection_burst: 5"),
		place3 + ".connection_burst: needs connection_rate",
	},
	"bytes burst": {
		badListener("tcp", "limits: {bytes_burst: 5}"),
		place3 + ".limits.bytes_burst: needs bytes_per_second",
	},
	"messages burst": {
		badListener("tcp", "limits: {messages_burst: 5}"),
		place3 + ".limits.messages_burst: needs messages_per_second",
	},
	"publishes burst": {
		badListener("tcp", "limits: {publishes_burst: 5}"),
		place3 + ".limits.publishes_burst: needs publishes_per_second",
	},
	"rate per connection, listener's": {
		badListener("tcp", "bytes_per_second: 5"),
		place3 + `.bytes_per_second: unknown key, did you mean "limits.bytes_per_second"?`,
	},
	"fraction": {
		badListener("tcp", "connection_rate: 0.5"),
		place3 + ".connection_rate: must be a whole number, not the number 0.5",
	},
	"relative unix": {badBind("unix:x.sock", ""), place2 +
		`.bind: must be unix: and an absolute path, not "unix:x.sock"`},
	"long unix": {
		badBind("unix:/"+strings.Repeat("x", 103), ""),
		place2 + ".bind: is 104 bytes long: the path of a socket may have 103",
	},
	"unix tls": {badBind("unix:/x", ", type: udp"), place2 + ".bind: a unix socket needs type: tcp, not udp"},
	"unix access": {
		badBind("unix:/x", ", access: {rules: [allow all]}"),
		place2 + ".access: does not fit a unix socket, whose peers have no address",
	},
	"unix sources": {
		badBind("unix:/x", ", max_connections_per_source: 1"),
		place2 + ".max_connections_per_source: does not fit a unix socket, whose peers have no address",
	},
	"unix nodelay": {
		badBind("unix:/x", ", socket: {nodelay: true}"),
		place2 + ".socket.nodelay: does not fit a unix socket, whose peers have no address",
	},
	"unix twice": {
		badBind("unix:/x", "") + "  b: {bind: 'unix:/x', handler: {wasm: m.wasm}}\n",
		"exgate.yaml:3: listeners.b.bind: unix:/x is taken by listeners.a.bind (exgate.yaml:2)",
	},
	"dtls and udp at one port": {
		badListener("udp") + "  b: {type: dtls, bind: ':1', " + certificate + ", handler: {wasm: m.wasm}}\n",
		"exgate.yaml:4: listeners.b.bind: :1 is taken by listeners.a.bind (exgate.yaml:2)",
	},
	"pid": {listenerA + "pid_file: {}\n", "exgate.yaml:2: pid_file: must be text, not a section"},
	"clients": {
		"upstream: {embedded: {max_clients: 0}}\n",
		"exgate.yaml:1: upstream.embedded.max_clients: must be at least 1, not 0",
	},
}

func TestWhatIsWrongWithAListener(t *testing.T) {
	for name, test := range badListeners {
		t.Run(name, func(t *testing.T) {
			inFolder(t, test.file)
			writeCertificates(t)
			_, err := Load(Sources{File: "exgate.yaml"})
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestListsInTheEnvironment(t *testing.T) {
	inFolder(t, "listeners:\n  a: {bind: ':1', handler: {wasm: m.wasm}, proxy_protocol: {trusted: [\n    "+
		"10.0.0.0/8]}}\n")
	from := Sources{
		File:    "exgate.yaml",
		Environ: []string{"EXGATE_LISTENERS__A__PROXY_PROTOCOL__TRUSTED=192.0.2.7, fd00::/8"},
	}
	if got := fmt.Sprint(mustLoad(t, from).Listeners["a"].Proxy.Prefixes()); got != "[192.0.2.7/32 fd00::/8]" {
		t.Errorf("trusted %s", got)
	}
	from.Environ[0] = "EXGATE_LISTENERS__A__PROXY_PROTOCOL__TRUSTED=x"
	const want = `EXGATE_LISTENERS__A__PROXY_PROTOCOL__TRUSTED: listeners.a.proxy_protocol.trusted: must contain ` +
		`addresses such as 192.0.2.7 or 10.0.0.0/8, not "x"`
	if _, err := Load(from); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestEveryTransport(t *testing.T) {
	inFolder(t, `
listeners:
  tcp:
    {bind: ':1', handler: {wasm: m.wasm}, proxy_protocol: {trusted: [10.0.0.1]}, socket: {backlog: 1, nodelay: false}}
  udp: {type: udp, bind: ':1', handler: {wasm: m.wasm}, udp: {max_peers: 1}}
  tls:
    {type: tls, bind: ':2', handler: {wasm: m.wasm},
     tls: {cert: cert.pem, key: key.pem, ca: cert.pem, verify: peer, min_version: 1.3}}
  dtls: {type: dtls, bind: ':2', handler: {wasm: m.wasm}, psk: {file: devices.psk}, udp: {max_peers: 1}}
  both: {type: dtls, bind: ':3', handler: {wasm: m.wasm}, psk: {file: devices.psk}, tls: {cert: cert.pem, key: key.pem}}
  unix: {bind: 'unix:/x', handler: {wasm: m.wasm}}
  proxied: {bind: 'unix:/y', handler: {wasm: m.wasm}, proxy_protocol: {}, access: {rules: [deny all]}}
`)
	writeCertificates(t)
	cfg := mustLoad(t, Sources{File: "exgate.yaml"})
	if tcp := cfg.Listeners["tcp"]; tcp.Kind() != "tcp" || *tcp.Socket.NoDelay || tcp.Socket.Backlog != 1 {
		t.Errorf("tcp %+v", tcp)
	}
	if tls := cfg.Listeners["tls"]; tls.Kind() != "tls" || tls.TLS.MinVersion != "1.3" || tls.TLS.Verify != "peer" {
		t.Errorf("tls %+v", tls)
	}
	if !cfg.Listeners["unix"].Unix() || cfg.Proxied("unix") || !cfg.Proxied("proxied") || !cfg.Proxied("tcp") {
		t.Errorf("unix sockets %+v", cfg.Listeners)
	}
}

// writeCertificates writes a certificate to cert.pem, its key to key.pem, another key to other.pem, and pre-shared keys
// to devices.psk.
func writeCertificates(t *testing.T) {
	t.Helper()
	certtest.Files(t, ".")
	_, other := certtest.SelfSigned(t)
	for name, data := range map[string][]byte{"other.pem": other, "devices.psk": []byte("me:00\n")} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
