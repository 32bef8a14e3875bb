package listener

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// tlsVersions are the names of protocol versions, as EMQX's with the tlsv before them or without.
var tlsVersions = map[string]uint16{"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

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
		return 0, 0, fmt.Errorf("TLS versions from %s to %s: the lowest is above the highest", tls.VersionName(low), tls.VersionName(high))
	}
	return low, high, nil
}

// parseCiphers finds cipher suites by their IANA or OpenSSL names. Those of TLS 1.3 are accepted and mean nothing: crypto/tls has all of them on.
func parseCiphers(names []string) ([]uint16, error) {
	var ids []uint16
	for _, name := range names {
		suite := findCipher(name)
		if suite == nil {
			return nil, fmt.Errorf("cipher suite %q is not known", name)
		}
		if slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
			ids = append(ids, suite.ID)
		}
	}
	if len(names) > 0 && len(ids) == 0 {
		return nil, fmt.Errorf("cipher suites %s: none of them is for TLS 1.2", strings.Join(names, ", "))
	}
	return ids, nil
}

func findCipher(name string) *tls.CipherSuite {
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if sameCipher(name, suite.Name) {
			return suite
		}
	}
	return nil
}

// bareCipher is what the IANA and the OpenSSL name of a suite have in common, but for the RSA that OpenSSL leaves out where it is the key exchange
// and the hash that it leaves out after POLY1305.
var bareCipher = strings.NewReplacer("TLS_", "", "_WITH_", "", "_CBC_", "", "_", "", "-", "").Replace
