package dtls_test

import (
	"testing"

	"github.com/exgate/exgate/runtime/listener/dtls"
)

func TestDTLSCipherNames(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
		{"PSK-AES128-GCM-SHA256", "TLS_PSK_WITH_AES_128_GCM_SHA256"},
		{"ECDHE-ECDSA-AES128-CCM8", "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8"},
		{"AES128-SHA", ""},
	} {
		iana, ok := dtls.CipherName(c.name)
		if iana != c.want || ok != (c.want != "") {
			t.Errorf("%s is %q, %v; want %q", c.name, iana, ok, c.want)
		}
	}
}
