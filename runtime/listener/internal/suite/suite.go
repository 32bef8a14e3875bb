// Package suite compares the names of cipher suites. It imports nothing of ours.
package suite

import "strings"

// Same reports whether name, an IANA or an OpenSSL name in any spelling, means the suite with the IANA name iana.
func Same(name, iana string) bool {
	want, have := bare(name), bare(iana)
	return want == have || want == strings.TrimPrefix(have, "RSA") ||
		want == strings.TrimSuffix(have, "SHA256") && strings.Contains(have, "POLY1305")
}

// bare is what the IANA and the OpenSSL name of a suite have in common. OpenSSL also leaves out RSA where it is the key
// exchange, and the hash after POLY1305.
var bare = strings.NewReplacer("TLS_", "", "_WITH_", "", "_CBC_", "", "_", "", "-", "").Replace
