package doctor

import (
	"context"
	"net"
	"slices"
)

// ownSocket returns the configured socket that a client of address would reach.
func (c *checkup) ownSocket(ctx context.Context, address string) (socket, bool) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return socket{}, false
	}
	ips := addresses(ctx, host)
	for _, s := range socketsOf(c.cfg) {
		bound, boundPort, err := net.SplitHostPort(s.bind)
		if err != nil || s.network != "tcp" || boundPort != port {
			continue
		}
		if slices.ContainsFunc(ips, func(ip net.IP) bool { return reaches(ip, bound) }) {
			return s, true
		}
	}
	return socket{}, false
}

// addresses returns the addresses of a host name or literal.
func addresses(ctx context.Context, host string) []net.IP {
	if ip := net.ParseIP(host); ip != nil {
		return []net.IP{ip}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ips, _ := net.DefaultResolver.LookupIP(ctx, "ip", host)
	return ips
}

// reaches reports whether ip reaches a socket of this machine bound to bound.
func reaches(ip net.IP, bound string) bool {
	switch b := net.ParseIP(bound); {
	case bound == "localhost":
		return ip.IsLoopback()
	case bound == "" || b != nil && b.IsUnspecified():
		return isLocal(ip)
	default:
		return b != nil && b.Equal(ip)
	}
}

// isLocal reports whether an address belongs to this machine.
func isLocal(ip net.IP) bool {
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	addrs, _ := net.InterfaceAddrs()
	return slices.ContainsFunc(addrs, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(ip)
	})
}
