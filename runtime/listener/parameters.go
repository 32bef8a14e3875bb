package listener

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"

	"github.com/exgate/exgate/runtime/listener/internal/suite"
)

// tlsVersions maps names of protocol versions, without EMQX's prefix tlsv.
var tlsVersions = map[string]uint16{
	"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12,
	"1.3": tls.VersionTLS13,
}

func parseTLSVersion(name string) (uint16, error) {
	v, ok := tlsVersions[strings.TrimPrefix(strings.ToLower(name), "tlsv")]
	if !ok {
		return 0, fmt.Errorf("TLS version %q: it must be 1.0, 1.1, 1.2 or 1.3", name)
	}
	return v, nil
}

func parseTLSVersions(lowest, highest string) (low, high uint16, err error) {
	low, high = tls.VersionTLS12, tls.VersionTLS13
	if highest != "" {
		if high, err = parseTLSVersion(highest); err != nil {
			return 0, 0, err
		}
	}
	if lowest != "" {
		if low, err = parseTLSVersion(lowest); err != nil {
			return 0, 0, err
		}
	}
	if low > high {
		return 0, 0, fmt.Errorf("TLS versions from %s to %s: the lowest is above the highest", tls.VersionName(low),
			tls.VersionName(high))
	}
	return low, high, nil
}

// parseCiphers finds cipher suites by their IANA or OpenSSL names. TLS 1.3 suites are accepted and ignored: crypto/tls
// always enables them.
func parseCiphers(names []string) ([]uint16, error) {
	var ids []uint16
	for _, name := range names {
		cipher := findCipher(name)
		if cipher == nil {
			return nil, fmt.Errorf("unknown cipher suite %q", name)
		}
		if slices.Contains(cipher.SupportedVersions, tls.VersionTLS12) {
			ids = append(ids, cipher.ID)
		}
	}
	if len(names) > 0 && len(ids) == 0 {
		return nil, fmt.Errorf("cipher suites %s: none of them is for TLS 1.2", strings.Join(names, ", "))
	}
	return ids, nil
}

func findCipher(name string) *tls.CipherSuite {
	for _, known := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if suite.Same(name, known.Name) {
			return known
		}
	}
	return nil
}

// CipherName returns the IANA name of the TLS 1.2 cipher suite that name, an IANA or an OpenSSL one, stands for; ok is
// false if TLS listeners do not have it, or it is always on as those of TLS 1.3 are.
func CipherName(name string) (iana string, ok bool) {
	suite := findCipher(name)
	if suite == nil || !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
		return "", false
	}
	return suite.Name, true
}
