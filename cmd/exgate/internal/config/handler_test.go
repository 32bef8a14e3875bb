package config

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// badService is a listener on line 2 whose handler service has more settings from line 3 on.
func badService(lines ...string) string {
	return "listeners:\n  a: {bind: ':1', handler: {grpc: 'h:1',\n    " + strings.Join(lines, ",\n    ") + "}}\n"
}

func badAdapter(lines ...string) string {
	return listenerA + "adapter: {\n    " + strings.Join(lines, ",\n    ") + "}\n"
}

const ofHandler = "exgate.yaml:3: listeners.a.handler."

var badServices = map[string]struct{ file, want string }{
	"one of several": {
		"listeners:\n  a:\n    bind: ':1'\n    handler:\n      grpc:\n        - h:1\n        - " +
			"https://h:2\n        - h\n",
		`exgate.yaml:8: listeners.a.handler.grpc: must be host:port, not "h"`,
	},
	"unknown dialect": {
		badService("dialect: streaming"),
		ofHandler + `dialect: must be auto, unary, stream, unary-v42 or session, not "streaming"`,
	},
	"unknown failure": {
		badService("on_failure: wait"),
		ofHandler + `on_failure: must be close, retry or hold, not "wait"`,
	},
	"streams of unary": {
		badService("dialect: unary, stream_sets: 2"),
		ofHandler + "stream_sets: needs dialect: stream, or auto",
	},
	"nothing is held": {
		badService("hold_timeout: 1s"),
		ofHandler + "hold_timeout: needs on_failure: retry or hold",
	},
	"missing token": {
		badService("token_file: none"),
		ofHandler + "token_file: none: no such file or directory",
	},
	"empty token": {
		badService("token_file: empty"),
		ofHandler + "token_file: empty is empty: it must contain a token",
	},
	"two lines": {
		badService("adapter_token_file: lines"),
		ofHandler + "adapter_token_file: lines must contain one line without spaces",
	},
	"missing authority": {
		badService("tls: {ca: none.pem}"),
		ofHandler + "tls.ca: none.pem: no such file or directory",
	},
	"no authority": {
		badService("tls: {ca: lines}"),
		ofHandler + "tls.ca: lines contains no PEM certificate",
	},
	"certificate without key": {badService("tls: {cert: cert.pem}"), ofHandler + "tls: needs cert and key, or neither"},
	"another service's key": {
		badService("tls: {cert: cert.pem, key: other.pem}"),
		ofHandler + "tls.cert: cert.pem with the key other.pem: tls: private key does not match public key",
	},
	"service's setting of a module": {
		"listeners: {a: {bind: ':1', handler: {wasm: m.wasm, on_failure: hold}}}\n",
		"exgate.yaml:1: listeners.a.handler.on_failure: does not belong to a wasm handler",
	},
	"adapter without certificate": {
		badAdapter("tls: {cert: cert.pem}"),
		"exgate.yaml:3: adapter.tls: needs cert and key, the PEM files of the adapter's certificate and private key",
	},
	"adapter's authority": {
		badAdapter("tls: {cert: cert.pem, key: key.pem, client_ca: key.pem}"),
		"exgate.yaml:3: adapter.tls.client_ca: key.pem contains no PEM certificate",
	},
	"topics of nobody": {
		badAdapter("raw_publish_topics: [a/#]"),
		"exgate.yaml:3: adapter.raw_publish_topics: needs adapter.raw_publish: true",
	},
	"peers without any": {
		badAdapter("peers: {token_file: token}"),
		"exgate.yaml:3: adapter.peers: needs nodes, such as [gateway-2=10.0.0.2:9100], or dns, a name:port that has " +
			"the addresses of all gateways",
	},
	"peer without name": {
		badAdapter("peers: {nodes: ['h:1']}"),
		`exgate.yaml:3: adapter.peers.nodes: must contain name=host:port, not "h:1"`,
	},
	"name without port": {
		badAdapter("peers: {dns: peers}"),
		`exgate.yaml:3: adapter.peers.dns: must be name:port, not "peers"`,
	},
	"no adapter for any": {
		badAdapter("max_connections: 0"),
		"exgate.yaml:3: adapter.max_connections: must be at least 1, not 0",
	},
}

func TestWhatIsWrongWithAService(t *testing.T) {
	for name, test := range badServices {
		t.Run(name, func(t *testing.T) {
			inFolder(t, test.file)
			writeCertificates(t)
			secrets(t)
			_, err := Load(Sources{File: "exgate.yaml"})
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func secrets(t *testing.T) {
	t.Helper()
	for name, text := range map[string]string{"token": "s3cret\n", "empty": "\n", "lines": "s3\ncret"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestServiceAddresses(t *testing.T) {
	for text, want := range map[string][]string{
		"h:1": {"h:1"}, "'h:1, i:2'": {"h:1", "i:2"}, "['h:1', 'i:2']": {"h:1", "i:2"}, "http://h:1/": {"http://h:1/"},
	} {
		inFolder(t, "listeners: {a: {bind: ':1', handler: {grpc: "+text+"}}}\n")
		if got := mustLoad(t, Sources{File: "exgate.yaml"}).Listeners["a"].Handler.GRPC; !slices.Equal(got, want) {
			t.Errorf("grpc: %s is %q, want %q", text, got, want)
		}
	}
}

func TestToken(t *testing.T) {
	t.Chdir(t.TempDir())
	secrets(t)
	if token, err := ReadToken("token"); token != "s3cret" || err != nil {
		t.Errorf("got %q, %v", token, err)
	}
}
