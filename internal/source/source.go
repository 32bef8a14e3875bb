// Package source names the source that a device's traffic is attributed to when faults are counted: its IPv4 address,
// or the /64 of its IPv6 address, since one machine may own all of it.
//
// It imports no other package of exgate and has no lock. Its one function is [Of].
package source

import "net/netip"

// Of returns the source of a peer. All peers without an address, such as those of unix sockets, share the zero prefix.
func Of(peer netip.AddrPort) netip.Prefix {
	a := peer.Addr().Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	source, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return source
}
