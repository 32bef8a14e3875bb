package listener_test

import (
	"testing"

	"github.com/exgate/exgate/runtime/listener"
)

func TestCipherNames(t *testing.T) {
	for _, c := range []struct{ transport, name, want string }{
		{"tls", "ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
		{"tls", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
		{"tls", "ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
		{"tls", "AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"},
		{"tls", "TLS_AES_256_GCM_SHA384", ""},
		{"tls", "DHE-DSS-AES256-SHA", ""},
		{"dtls", "ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
		{"dtls", "PSK-AES128-GCM-SHA256", "TLS_PSK_WITH_AES_128_GCM_SHA256"},
		{"dtls", "ECDHE-ECDSA-AES128-CCM8", "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8"},
		{"dtls", "AES128-SHA", ""},
	} {
		iana, ok := listener.CipherName(c.transport, c.name)
		if iana != c.want || ok != (c.want != "") {
			t.Errorf("%s %s is %q, %v; want %q", c.transport, c.name, iana, ok, c.want)
		}
	}
}
