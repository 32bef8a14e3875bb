package config

import (
	"cmp"
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
	ports := make(map[string]*boundPort)
	for _, s := range r.cfg.sockets() {
		port, host := s.place()
		if port == "" {
			continue
		}
		p := ports[port]
		if p == nil {
			p = &boundPort{hosts: make(map[string]string)}
			ports[port] = p
		}
		if earlier := p.take(host, s.key); earlier != "" {
			at := r.cfg.origins.of(earlier)
			r.problem(s.key, "%s is taken by %s (%s)", s.bind, earlier, at.where)
		}
	}
}

// place returns what no two sockets can share: the port with its network, and the host; or a path. The port is empty where nothing can collide.
func (s socket) place() (port, host string) {
	if strings.HasPrefix(s.bind, unixPrefix) {
		return s.bind, ""
	}
	host, port, err := net.SplitHostPort(s.bind)
	if err != nil || port == "0" {
		return "", ""
	}
	if everyAddress(host) {
		host = ""
	}
	return s.network + ":" + port, host
}

// boundPort holds the settings that bind one port.
type boundPort struct {
	any   string            // the first setting
	every string            // the first one that binds every address
	hosts map[string]string // the first one of each host
}

// take binds host for the setting key, and returns the setting that it collides with.
func (p *boundPort) take(host, key string) (earlier string) {
	if host == "" {
		earlier, p.every = p.any, cmp.Or(p.every, key)
	} else {
		earlier = cmp.Or(p.hosts[host], p.every)
		p.hosts[host] = cmp.Or(p.hosts[host], key)
	}
	p.any = cmp.Or(p.any, key)
	return earlier
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
