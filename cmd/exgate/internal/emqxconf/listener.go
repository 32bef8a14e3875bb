package emqxconf

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"
	"github.com/exgate/exgate/runtime/listener/admission"
)

// wish collects settings of a listener that belong together.
type wish struct {
	tls          tlsWish
	plainHandler bool // the handler is called without TLS

	proxy        *hocon.Value // proxy_protocol that is on
	proxyTimeout *hocon.Value
}

// kinds maps EMQX's types of listeners to exgate's.
var kinds = map[string]string{"tcp": "tcp", "ssl": "tls", "udp": "udp", "dtls": "dtls"}

// The settings of a listener that both versions have.
var listenerRules = rules{
	"acceptors":              ignored("exgate accepts connections in one goroutine"),
	"max_connections":        maxConnections,
	"max_conn_rate":          connectionRate,
	"proxy_protocol":         proxyProtocol,
	"proxy_protocol_timeout": proxyTimeout,
}

// mostListeners bounds the listeners of a configuration.
const mostListeners = 1000

// newListener adds a listener to the result, with a name like name.
func (im *importer) newListener(kind, name, key string, at *hocon.Value) *scope {
	if im.listeners == mostListeners {
		im.beyond = at
		return &scope{importer: im, key: key, to: newTarget(), kind: kind, wish: &wish{}}
	}
	name = im.listenerName(kind, name)
	to := im.out.section("listeners." + name)
	im.out.section("listeners").comment(name, printable(fmt.Sprintf("%s:%d: %s", at.File, at.Line, key)))
	to.set("type", kind)
	im.listeners++
	return &scope{importer: im, key: key, to: to, kind: kind, wish: &wish{}}
}

// listenerName turns name into a valid and unused name: if it is taken, it gets the type of the listener as a prefix,
// and then a number.
func (im *importer) listenerName(kind, name string) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_", r) {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	listeners := im.out.section("listeners")
	free := name
	for n := 1; free == "" || listeners.has(free); n++ {
		free = kind + "-" + name
		if n > 1 {
			free += "-" + strconv.Itoa(n)
		}
	}
	return free
}

// finish carries over combined settings after all have been seen.
func (s *scope) finish() {
	s.finishTLS()
	s.finishProxy()
}

// datagram reports whether the listener uses datagrams.
func (s *scope) datagram() bool { return s.kind == "udp" || s.kind == "dtls" }

// The default limits of a udp or dtls listener; see docs/limits.md.
const (
	defaultMaxPeers = 50000
	defaultNewPeers = 2000
)

func maxConnections(s *scope, name string, v *hocon.Value) {
	if v.Text == "infinity" {
		s.needless(v, s.name(name), "without max_connections there is no limit")
		return
	}
	n, ok := s.number(name, v)
	if !ok {
		return
	}
	s.to.set("max_connections", n)
	if s.datagram() && n > defaultMaxPeers {
		s.to.set("udp.max_peers", n)
	}
}

// connectionRate carries over a number of connections a second, which some versions write as 1000/s.
func connectionRate(s *scope, name string, v *hocon.Value) {
	if v.Text == "infinity" {
		s.needless(v, s.name(name), "without connection_rate there is no limit")
		return
	}
	plain := *v
	plain.Text = strings.TrimSuffix(v.Text, "/s")
	n, ok := s.number(name, &plain)
	if !ok {
		return
	}
	s.to.set("connection_rate", n)
	if s.datagram() && n > defaultNewPeers {
		s.to.set("udp.new_peers_per_second", n)
	}
}

// access carries over rules such as "allow 10.0.0.0/8".
func (s *scope) access(name string, items []*hocon.Value) {
	var kept []string
	for _, item := range items {
		text := strings.Join(strings.Fields(item.Text), " ")
		if _, err := admission.ParseAccess([]string{text}); item.Kind != hocon.Scalar || err != nil {
			s.decide(item, s.name(name), "must be like allow 10.0.0.0/8 or deny all")
			continue
		}
		kept = append(kept, text)
	}
	switch {
	case len(kept) == 1 && kept[0] == "allow all":
		s.needless(items[0], s.name(name), "without rules everyone may connect")
	case len(kept) > 0:
		s.to.set("access.rules", kept)
	}
}

func proxyProtocol(s *scope, name string, v *hocon.Value) {
	on, ok := s.flag(name, v)
	switch {
	case !ok:
	case !on:
		s.needless(v, s.name(name), "it is off without the section proxy_protocol")
	case s.datagram():
		s.needless(v, s.name(name), "EMQX does not use it on "+s.kind+" listeners")
	default:
		s.wish.proxy = v
	}
}

func proxyTimeout(s *scope, _ string, v *hocon.Value) { s.wish.proxyTimeout = v }

func (s *scope) finishProxy() {
	w := s.wish
	const timeout = "proxy_protocol_timeout"
	if w.proxy == nil {
		if w.proxyTimeout != nil {
			s.needless(w.proxyTimeout, s.name(timeout), "the PROXY protocol is off")
		}
		return
	}
	s.to.set("proxy_protocol.trusted", []string{"127.0.0.1", "::1"})
	s.to.section("proxy_protocol").comment("trusted",
		"Add the addresses of the load balancers: other clients are refused. EMQX trusted everyone.")
	s.decide(w.proxy, s.name("proxy_protocol"),
		"exgate trusts listed load balancers only: set proxy_protocol.trusted to their addresses")
	if w.proxyTimeout != nil {
		duration("proxy_protocol.timeout")(s, timeout, w.proxyTimeout)
	}
}
