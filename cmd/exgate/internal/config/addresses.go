package config

import (
	"cmp"
	"fmt"
	"net"
	"strings"
)

// socket is an address to listen on.
type socket struct {
	network   string // tcp or udp: one port can be both
	key, bind string
}

// sockets returns all addresses to listen on, those of listeners last.
func (c *Config) sockets() []socket {
	var all []socket
	if c.ofFile == "" && !c.Upstream.Elsewhere() {
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
		if l.Dials() {
			continue
		}
		if l.Datagram() {
			network = "udp"
		}
		all = append(all, socket{network, "listeners." + name + ".bind", l.Bind})
	}
	return all
}

// binds refuses two sockets with the same address.
func (r rules) binds() {
	for _, p := range new(Addresses).Add(r.cfg) {
		r.problems.append(p)
	}
}

// Addresses holds the settings of one or more configurations that bind an address. The zero value holds none.
type Addresses struct {
	ports map[string]*boundPort
}

// Add adds the addresses that c listens on. It returns a problem for each that an earlier setting binds.
func (a *Addresses) Add(c *Config) Problems {
	if a.ports == nil {
		a.ports = make(map[string]*boundPort)
	}
	var taken Problems
	for _, s := range c.sockets() {
		port, host := s.place()
		if port == "" {
			continue
		}
		p := a.ports[port]
		if p == nil {
			p = &boundPort{hosts: make(map[string]binding)}
			a.ports[port] = p
		}
		if earlier := p.take(host, binding{c, s.key}); earlier != (binding{}) {
			taken = append(taken, c.Problem(s.key, "%s is taken by %v", s.bind, earlier))
		}
	}
	return taken
}

// binding is a setting that binds an address.
type binding struct {
	cfg *Config
	key string
}

func (b binding) String() string {
	return fmt.Sprintf("%s (%s)", b.cfg.nameInFile(b.key), b.cfg.origins.of(b.key).where)
}

// place returns what no two sockets can share: the port with its network, and the host; or a path. The port is empty if
// nothing can collide with it.
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
	any   binding            // the first setting
	every binding            // the first one that binds every address
	hosts map[string]binding // the first one of each host
}

// take notes that b binds host, and returns the binding that it collides with, or none.
func (p *boundPort) take(host string, b binding) (earlier binding) {
	if host == "" {
		earlier, p.every = p.any, cmp.Or(p.every, b)
	} else {
		earlier = cmp.Or(p.hosts[host], p.every)
		p.hosts[host] = cmp.Or(p.hosts[host], b)
	}
	p.any = cmp.Or(p.any, b)
	return earlier
}

func everyAddress(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}
