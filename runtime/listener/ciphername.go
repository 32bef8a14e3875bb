package listener

import (
	"crypto/tls"
	"slices"
	"strings"
)

// CipherName returns the IANA name of a cipher suite that name, an IANA or an OpenSSL one, stands for, and whether listeners of the transport, "tls" or
// "dtls", can be told to use it. The suites of TLS 1.3 are none of them: they are always on.
func CipherName(transport, name string) (iana string, ok bool) {
	if transport == "tls" {
		suite := findCipher(name)
		if suite == nil || !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
			return "", false
		}
		return suite.Name, true
	}
	for suite := range dtlsSuitesByName() {
		if sameCipher(name, suite) {
			return suite, true
		}
	}
	return "", false
}

// sameCipher reports whether name, in any spelling, is the suite with the IANA name iana.
func sameCipher(name, iana string) bool {
	want, bare := bareCipher(name), bareCipher(iana)
	return want == bare || want == strings.TrimPrefix(bare, "RSA") || want == strings.TrimSuffix(bare, "SHA256") && strings.Contains(bare, "POLY1305")
}
