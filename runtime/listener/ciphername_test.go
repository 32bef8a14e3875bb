package listener_test

import (
	"testing"

	"github.com/exgate/exgate/runtime/listener"
)

func TestCipherNames(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
		{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
		{"ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
		{"AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"},
		{"TLS_AES_256_GCM_SHA384", ""},
		{"DHE-DSS-AES256-SHA", ""},
	} {
		iana, ok := listener.CipherName(c.name)
		if iana != c.want || ok != (c.want != "") {
			t.Errorf("%s is %q, %v; want %q", c.name, iana, ok, c.want)
		}
	}
}
