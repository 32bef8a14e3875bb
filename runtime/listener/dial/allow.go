package dial

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/exgate/exgate/runtime/listener/admission"
)

// special are prefixes without devices, or with services that trust every caller: nothing there is dialed unless a rule
// names it.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"), // link-local, and the metadata of most clouds
	netip.MustParsePrefix("224.0.0.0/4"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("100.100.100.200/32"), // metadata, Alibaba Cloud
	netip.MustParsePrefix("168.63.129.16/32"),   // metadata, Azure
	netip.MustParsePrefix("192.0.0.192/32"),     // metadata, Oracle Cloud
	netip.MustParsePrefix("::/128"),
	netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("ff00::/8"),
	netip.MustParsePrefix("fd00:ec2::254/128"),      // metadata, Amazon
	netip.MustParsePrefix("fd20:ce::254/128"),       // metadata, Google
	netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"), // metadata, Oracle Cloud
}

// Prefixes of IPv6 addresses that hold an IPv4 address, which a router sends the packets to.
var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")   // RFC 6052
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215
	sixToFour  = netip.MustParsePrefix("2002::/16")      // RFC 3056
	compatible = netip.MustParsePrefix("::/96")          // RFC 4291
)

// forbiddenError refuses to dial an address.
type forbiddenError struct{ address netip.Addr }

func (e *forbiddenError) Error() string {
	return fmt.Sprintf("%s may not be dialed: it is denied by the access rules, or a loopback, link-local, multicast "+
		"or metadata address; add a rule such as allow %[1]s before the others if it is a device", e.address)
}

// Check returns an error unless a allows address to be dialed.
func Check(a *admission.Admission, address netip.Addr) error {
	for _, each := range [...]netip.Addr{address, embedded(address)} {
		if each.IsValid() && !a.MayDial(each, special) {
			return &forbiddenError{address.Unmap()}
		}
	}
	return nil
}

// embedded returns the IPv4 address that address leads to, if any.
func embedded(address netip.Addr) netip.Addr {
	if !address.Is6() || address.Is4In6() {
		return netip.Addr{}
	}
	address = address.WithZone("")
	b := address.As16()
	switch {
	case nat64.Contains(address), nat64Local.Contains(address):
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixToFour.Contains(address):
		return netip.AddrFrom4([4]byte(b[2:6]))
	case compatible.Contains(address) && binary.BigEndian.Uint32(b[12:]) > 1:
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return netip.Addr{}
}
