package admission

import (
	"encoding/binary"
	"net/netip"
)

// source is what limits and bans treat as one sender: an IPv4 address, an IPv6 /64 (what a provider assigns to one
// customer), or the interface part of a link-local address, since all hosts of a link share the /64. The zero source
// has no address, like the peer of a unix socket.
type source struct {
	bits uint64
	kind sourceKind
}

type sourceKind uint8

const (
	sourceNone sourceKind = iota
	sourceIPv4
	sourceIPv6
	sourceLinkLocal
)

func sourceOf(a netip.Addr) source {
	a = a.Unmap()
	switch {
	case !a.IsValid():
		return source{}
	case a.Is4():
		b := a.As4()
		return source{uint64(binary.BigEndian.Uint32(b[:])), sourceIPv4}
	}
	b := a.As16()
	if a.IsLinkLocalUnicast() {
		return source{binary.BigEndian.Uint64(b[8:]), sourceLinkLocal}
	}
	return source{binary.BigEndian.Uint64(b[:8]), sourceIPv6}
}

func (s source) String() string {
	var b [16]byte
	switch s.kind {
	case sourceIPv4:
		binary.BigEndian.PutUint32(b[:4], uint32(s.bits))
		return netip.AddrFrom4([4]byte(b[:4])).String()
	case sourceIPv6:
		binary.BigEndian.PutUint64(b[:8], s.bits)
		return netip.PrefixFrom(netip.AddrFrom16(b), 64).String()
	case sourceLinkLocal:
		b[0], b[1] = 0xfe, 0x80
		binary.BigEndian.PutUint64(b[8:], s.bits)
		return netip.AddrFrom16(b).String()
	}
	return "none"
}
