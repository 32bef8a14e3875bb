package listener_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

func TestListenTLSErrors(t *testing.T) {
	ca := listenertest.NewIssuer(t)
	good := tlsOf(t, ca, "server")
	other := tlsOf(t, ca, "other")
	empty := filepath.Join(ca.Dir, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(ca.Dir, "missing.pem")
	for _, c := range []struct {
		change func(cfg *listener.TLSConfig)
		want   string
	}{
		{func(c *listener.TLSConfig) { c.MinVersion = "1.4" }, `TLS version "1.4": it must be 1.0, 1.1, 1.2 or 1.3`},
		{func(c *listener.TLSConfig) { c.MaxVersion = "ssl3" }, `TLS version "ssl3": it must be 1.0, 1.1, 1.2 or 1.3`},
		{
			func(c *listener.TLSConfig) { c.MinVersion, c.MaxVersion = "1.3", "tlsv1.2" },
			"TLS versions from TLS 1.3 to TLS 1.2: the lowest is above the highest",
		},
		{
			func(c *listener.TLSConfig) { c.MaxVersion = "1.1" },
			"TLS versions from TLS 1.2 to TLS 1.1: the lowest is above the highest",
		},
		{
			func(c *listener.TLSConfig) { c.Ciphers = []string{"PSK-AES128-CCM8"} },
			`unknown cipher suite "PSK-AES128-CCM8"`,
		},
		{
			func(c *listener.TLSConfig) { c.Ciphers = []string{"TLS_AES_128_GCM_SHA256"} },
			"cipher suites TLS_AES_128_GCM_SHA256: none of them is for TLS 1.2",
		},
		{func(c *listener.TLSConfig) { c.Verify = "maybe" }, `verify "maybe": it must be none or peer`},
		{
			func(c *listener.TLSConfig) { c.Verify = "peer" },
			"verify peer needs a CA file",
		},
		{func(c *listener.TLSConfig) { c.FailIfNoCert = true }, "fail_if_no_cert needs verify: peer"},
		{
			func(c *listener.TLSConfig) { c.CertFile = missing },
			"reading the certificate " + missing + " with the key " + good.KeyFile + ": open " + missing +
				": no such file or directory",
		},
		{
			func(c *listener.TLSConfig) { c.KeyFile = other.KeyFile },
			"reading the certificate " + good.CertFile + " with the key " + other.KeyFile +
				": tls: private key does not match public key",
		},
		{func(c *listener.TLSConfig) { c.CAFile = missing }, "reading the CA certificates: open " + missing +
			": no such file or directory"},
		{func(c *listener.TLSConfig) { c.CAFile = empty }, "reading the CA certificates " + empty +
			": no PEM certificate"},
		{
			func(c *listener.TLSConfig) { c.Proxy = &listener.ProxyConfig{} },
			"PROXY protocol: no trusted sources, so every connection would be refused",
		},
		{func(c *listener.TLSConfig) { c.Bind = "127.0.0.1:99999" }, "listen tcp: address 99999: invalid port"},
	} {
		cfg := good
		cfg.Bind = "127.0.0.1:0"
		c.change(&cfg)
		l, err := listener.ListenTLS(t.Context(), cfg)
		if err == nil {
			_ = l.Close()
			t.Errorf("no error, but %q was due", c.want)
		} else if got := strings.TrimPrefix(err.Error(), "opening TLS listener: "); got != c.want {
			t.Errorf("%s\nnot\n%s", got, c.want)
		}
	}
}

// Suites have the names of IANA and those of OpenSSL.
func TestTLSCiphers(t *testing.T) {
	for name, want := range map[string]string{
		"ECDHE-ECDSA-AES128-GCM-SHA256":           "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
		"ECDHE-ECDSA-CHACHA20-POLY1305":           "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
		"ECDHE-ECDSA-AES256-SHA":                  "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
		"ECDHE-ECDSA-AES128-SHA256":               "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
	} {
		ca := listenertest.NewIssuer(t)
		cfg := tlsOf(t, ca, "server")
		cfg.Ciphers = []string{"AES128-SHA", "TLS_AES_128_GCM_SHA256", name}
		s := serveTLS(t, cfg, listenertest.Send, gateway.Limits{})
		client := ca.Client()
		client.MaxVersion = tls.VersionTLS12
		for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			client.CipherSuites = append(client.CipherSuites, suite.ID)
		}
		c := dialTLS(t, s.addr, client)
		if got := tls.CipherSuiteName(c.ConnectionState().CipherSuite); got != want {
			t.Errorf("%s: %s, not %s", name, got, want)
		}
	}
}
