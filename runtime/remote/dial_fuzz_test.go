package remote

import (
	"net"
	"testing"
)

// splitAddress returns a host and a port, which it accepts again unchanged.
func FuzzSplitAddress(f *testing.F) {
	for _, address := range []string{
		"127.0.0.1:9001", "http://h:1/", "https://[::1]:9001", "h", ":1", "ftp://h:1", "http://http://h:1", "h:",
		"//h:1",
	} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		hostport, scheme, err := splitAddress(address)
		if err != nil {
			return
		}
		host, port, err := net.SplitHostPort(hostport)
		if err != nil || host == "" || port == "" {
			t.Fatalf("%q became %q", address, hostport)
		}
		if scheme != "" && scheme != "http" && scheme != "https" {
			t.Fatalf("%q has scheme %q", address, scheme)
		}
		if again, _, err := splitAddress(scheme + "://" + hostport); scheme != "" && (err != nil || again != hostport) {
			t.Fatalf("%q became %q, then %q (%v)", address, hostport, again, err)
		}
	})
}
