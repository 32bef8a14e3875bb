package config

import (
	"net"
	"path/filepath"
	"strings"
)

// socket is an address that the configuration listens at.
type socket struct {
	network   string // tcp or udp: one port can be both
	key, bind string
}

// sockets are all of them, listeners last.
func (c *Config) sockets() []socket {
	var all []socket
	if !c.Upstream.Elsewhere() {
		all = append(all, socket{"tcp", "upstream.embedded.bind", c.Upstream.Embedded.Bind})
	}
	if c.HasGRPC() {
		all = append(all, socket{"tcp", "adapter.bind", c.Adapter.Bind})
	}
	if c.Metrics.Bind != "" {
		all = append(all, socket{"tcp", "metrics.bind", c.Metrics.Bind})
	}
	for _, name := range c.Names() {
		l, network := c.Listeners[name], "tcp"
		if l.Datagram() {
			network = "udp"
		}
		all = append(all, socket{network, "listeners." + name + ".bind", l.Bind})
	}
	return all
}

// binds refuses two sockets at one address.
func (r rules) binds() {
	sockets := r.cfg.sockets()
	for i, s := range sockets {
		for _, earlier := range sockets[:i] {
			if s.network == earlier.network && collide(s.bind, earlier.bind) {
				at := r.cfg.origins.of(earlier.key)
				r.problem(s.key, "%s is taken by %s (%s)", s.bind, earlier.key, at.where)
				break
			}
		}
	}
}

// collide reports whether no two sockets can listen at a and b.
func collide(a, b string) bool {
	if strings.HasPrefix(a, unixPrefix) {
		return a == b
	}
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	return hostA == hostB || everyAddress(hostA) || everyAddress(hostB)
}

func everyAddress(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// longestUnixPath is what every system allows.
const longestUnixPath = 103

// unixPath checks a socket in the file system.
func (r rules) unixPath(key, bind string) {
	path := strings.TrimPrefix(bind, unixPrefix)
	switch {
	case !filepath.IsAbs(path):
		r.problem(key, "must be unix: and an absolute path, not %s", quoted(bind))
	case len(path) > longestUnixPath:
		r.problem(key, "is a path of %d bytes: a socket's may have %d", len(path), longestUnixPath)
	}
}
