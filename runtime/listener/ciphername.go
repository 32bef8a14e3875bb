package listener

import (
	"crypto/tls"
	"slices"
)

// CipherName returns the IANA name of the TLS 1.2 cipher suite that name, an IANA or an OpenSSL one, stands for; ok is false if TLS listeners do not
// have it, or it is always on as those of TLS 1.3 are.
func CipherName(name string) (iana string, ok bool) {
	suite := findCipher(name)
	if suite == nil || !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
		return "", false
	}
	return suite.Name, true
}
