package source_test

import (
	"net/netip"
	"testing"

	"github.com/exgate/exgate/internal/source"
)

func TestSourceIsAnAddressOrAPrefix(t *testing.T) {
	for peer, want := range map[string]string{
		"192.0.2.1:5":           "192.0.2.1/32",
		"[::ffff:192.0.2.1]:80": "192.0.2.1/32",
		"[2001:db8:1:2:3::4]:5": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:5":      "fe80::/64",
	} {
		if got := source.Of(netip.MustParseAddrPort(peer)); got.String() != want {
			t.Errorf("%s: %v, want %s", peer, got, want)
		}
	}
	if got := source.Of(netip.AddrPort{}); got != (netip.Prefix{}) {
		t.Errorf("no address: %v", got)
	}
}
