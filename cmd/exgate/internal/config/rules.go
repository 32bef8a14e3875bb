package config

import (
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/exgate/exgate/connectors/access"
	"github.com/exgate/exgate/runtime/gateway"
)

// check checks what the schema cannot express: settings that depend on each other, or on files.
func (c *Config) check(problems *collector) {
	r := rules{cfg: c, problems: problems}
	if err := gateway.CheckNode(c.Node); err != nil && !r.broken("node") {
		r.problem("node", "%v", err)
	}
	r.upstream()
	r.metrics()
	r.adapter(c.Adapter)
	r.folder("modules", c.Modules)
	if len(c.Listeners) == 0 && c.Modules == "" && !r.broken("listeners") {
		r.problem("listeners", "is empty: add a listener, or remove the section to get the demo")
	}
	for _, name := range c.Names() {
		r.listener("listeners."+name, c.Listeners[name])
	}
	r.binds()
}

// said returns where a source other than the defaults set key or something in it.
func (c *Config) said(key string) (at origin, ok bool) {
	if c.origins == nil { // the zero configuration has no sources
		return origin{}, false
	}
	if at, ok = c.origins.origins[key]; ok {
		return at, true
	}
	at, ok = c.origins.first[key]
	return at, ok
}

// Said reports whether a source other than the defaults set key or something in it.
func (c *Config) Said(key string) bool {
	_, said := c.said(key)
	return said
}

// HasGRPC reports whether a listener's handler is a gRPC service, which needs the adapter.
func (c *Config) HasGRPC() bool {
	for _, l := range c.Listeners {
		if len(l.Handler.GRPC) > 0 {
			return true
		}
	}
	return false
}

// rules checks a configuration.
type rules struct {
	cfg      *Config
	problems *collector
}

func (r rules) problem(key, format string, args ...any) {
	r.problems.add(r.cfg.origins.of(key), key, format, args...)
}

// broken reports whether key already has a problem.
func (r rules) broken(key string) bool { return r.problems.broken(key) }

// exclusive refuses two settings that are mutually exclusive, and reports it at the later one.
func (r rules) exclusive(a, b string) {
	atA, saidA := r.cfg.said(a)
	atB, saidB := r.cfg.said(b)
	if !saidA || !saidB {
		return
	}
	if atA.order > atB.order {
		a, b, atA, atB = b, a, atB, atA
	}
	r.problems.add(atB, b, "conflicts with %s (%s): remove one", a, atA.where)
}

// redacted returns a URL without the text before its @, which may hold a password.
func redacted(text string) string {
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		return "..." + text[i:]
	}
	return text
}

func (r rules) metrics() {
	m := r.cfg.Metrics
	if m.Bind == "" || !r.address("metrics.bind", m.Bind) || m.Public {
		return
	}
	host, _, _ := net.SplitHostPort(m.Bind)
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		r.problem("metrics.bind", "%s can be reached from other machines: bind to 127.0.0.1, or set "+
			"metrics.public: true", m.Bind)
	}
}

// address checks a host:port to listen on.
func (r rules) address(key, bind string) bool {
	if r.broken(key) {
		return false
	}
	if bind == "" {
		r.problem(key, "must be an address such as 127.0.0.1:1883 or :7993, and is empty")
		return false
	}
	host, port, err := net.SplitHostPort(bind)
	switch {
	case err == nil && host != "" && strings.Trim(host, "0123456789.") == "" && net.ParseIP(host) == nil:
		r.problem(key, "%s is not an IP address: each of its four numbers is at most 255", cut(host))
	case err == nil && isPort(port):
		return true
	case err == nil && isDigits(port):
		r.problem(key, "has the port %s: the highest port is 65535", cut(port))
	case isIPv6(bind):
		r.problem(key, "an IPv6 address must be in brackets, such as [::1]:7993, not %s", quoted(bind))
	default:
		r.problem(key, "must be an address such as 127.0.0.1:1883 or :7993, not %s", quoted(bind))
	}
	return false
}

// isIPv6 reports whether text is an IPv6 address without brackets, maybe with a port.
func isIPv6(text string) bool {
	host := text[:max(0, strings.LastIndexByte(text, ':'))]
	for _, s := range []string{text, host} {
		if ip := net.ParseIP(s); ip != nil && strings.Contains(s, ":") {
			return true
		}
	}
	return false
}

// file checks that a file, if one is named, exists.
func (r rules) file(key, name string) {
	if name == "" || r.broken(key) {
		return
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		r.problem(key, "%s: %v", name, cause(err))
	case info.IsDir():
		r.problem(key, "%s is a folder, not a file", name)
	case !info.Mode().IsRegular():
		r.problem(key, "%s is not a regular file", name)
	}
}

// authFile checks a file of users or rules, if one is named.
func (r rules) authFile(key, name string) {
	r.file(key, name)
	if name == "" || r.broken(key) {
		return
	}
	if _, err := access.LoadFile(name); err != nil {
		r.problem(key, "%v", err)
	}
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

// folder checks that a folder, if one is named, exists.
func (r rules) folder(key, name string) {
	if name == "" || r.broken(key) {
		return
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		r.problem(key, "%s: %v", name, cause(err))
	case !info.IsDir():
		r.problem(key, "%s is a file, not a folder", name)
	}
}

// noFile checks that a folder, which is created if it is missing, is not a file.
func (r rules) noFile(key, name string) {
	if info, err := os.Stat(name); err == nil && !info.IsDir() {
		r.problem(key, "%s is a file, not a folder", name)
	}
}

// isHostPort reports whether address is a host:port that a client can connect to.
func isHostPort(address string) bool {
	host, port, err := net.SplitHostPort(address)
	return err == nil && host != "" && isPort(port)
}
