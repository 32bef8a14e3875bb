package emqxconf

import (
	"regexp"
	"strings"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"
)

const brokersOwn = "devices log in at the upstream broker, each as its own client: configure authentication there"

var v5ListenerRules = merged(listenerRules, rules{
	"bind":           bind,
	"enable":         func(*scope, string, *hocon.Value) {}, // see listenerV5
	"enabled":        func(*scope, string, *hocon.Value) {}, // its name in 5.0
	"mountpoint":     mountpoint,
	"access_rules":   accessV5,
	"enable_authn":   wanted(true, "EMQX did not authenticate devices: allow anonymous clients at the upstream broker"),
	"authentication": lost(brokersOwn),
	"tcp_options":    within(socketRules),
	"udp_options":    within(socketRules),
	"ssl_options":    within(tlsRules),
	"dtls_options":   within(tlsRules),
	"health_check": lost("exgate does not answer datagrams itself: let the handler answer, or probe /healthz " +
		"of metrics.bind"),
})

// gatewayV5 holds the settings of gateway.exproto that apply to all its listeners.
type gatewayV5 struct {
	handler     *hocon.Value
	mountpoint  *hocon.Value
	idleTimeout *hocon.Value
}

// importV5 carries over gateway.exproto of EMQX 5.
func (im *importer) importV5(exproto *hocon.Value) {
	var common gatewayV5
	var listeners *hocon.Value
	later := func(where **hocon.Value) rule { return func(_ *scope, _ string, v *hocon.Value) { *where = v } }
	top := &scope{importer: im, key: "gateway.exproto", to: im.out}
	top.apply(exproto, rules{
		"server":         serverV5,
		"handler":        later(&common.handler),
		"mountpoint":     later(&common.mountpoint),
		"idle_timeout":   later(&common.idleTimeout),
		"listeners":      later(&listeners),
		"enable":         wanted(true, "EMQX does not start it; exgate would"),
		"enable_stats":   ignored("metrics are served at metrics.bind"),
		"authentication": lost(brokersOwn),
		"clientinfo_override": within(rules{
			"username": lost("the handler passes the username to Authenticate"),
			"password": lost("the handler passes the password to Authenticate"),
			"clientid": lost("the handler passes the clientid to Authenticate"),
		}),
	})
	top.listenersV5(listeners, &common)
}

// serverV5 carries over the address of the adapter.
func serverV5(s *scope, name string, v *hocon.Value) {
	inner := &scope{importer: s.importer, key: s.name(name), to: s.to.section("adapter")}
	inner.apply(v, rules{
		"bind": port,
		"ssl_options": lost("EMQX 5 ignores this setting (it looks for another name), so handlers call without TLS; " +
			"once they use TLS, set adapter.tls: {cert, key}"),
	})
}

func (s *scope) listenersV5(all *hocon.Value, common *gatewayV5) {
	if all == nil || all.Kind != hocon.Object {
		return
	}
	for _, word := range all.Keys {
		group := all.Fields[word]
		if kinds[word] == "" || group.Kind != hocon.Object {
			s.decide(group, s.name("listeners."+word), "must be listeners by their names in tcp, ssl, udp or dtls")
			continue
		}
		for _, name := range group.Keys {
			s.listenerV5(kinds[word], name, s.name("listeners."+word+"."+name), group.Fields[name], common)
		}
	}
}

func (s *scope) listenerV5(kind, name, key string, v *hocon.Value, common *gatewayV5) {
	if disabled(v) {
		s.decide(v, key, "EMQX does not start it: it is omitted")
		return
	}
	l := s.newListener(kind, name, key, v)
	top := *l
	top.key = s.key
	if common.mountpoint != nil {
		mountpoint(&top, "mountpoint", common.mountpoint)
	}
	if common.idleTimeout != nil {
		duration("idle_timeout")(&top, "idle_timeout", common.idleTimeout)
	}
	l.handlerV5(s.name("handler"), common.handler)
	l.apply(v, v5ListenerRules)
	if !l.to.has("bind") {
		s.decide(v, key, "has no bind: set it to the address that devices connect to")
	}
	l.finishHandler(v)
	l.finish()
	l.demoCertificate(v)
}

func disabled(listener *hocon.Value) bool {
	for _, name := range []string{"enable", "enabled"} {
		if v := listener.Fields[name]; v != nil && (v.Text == "false" || v.Text == "off") {
			return true
		}
	}
	return false
}

func bind(s *scope, name string, v *hocon.Value) {
	setBind(s, name, v, "a port or an address such as 0.0.0.0:7993")
}

// setBind carries over an address, if it is one.
func setBind(s *scope, name string, v *hocon.Value, what string) bool {
	address, ok := parseBind(v.Text)
	if v.Kind != hocon.Scalar || !ok {
		s.decide(v, s.name(name), "must be %s", what)
		return false
	}
	s.to.set("bind", address)
	return true
}

var placeholder = regexp.MustCompile(`\$\{[^}]*\}?`)

// mountpoint carries over the mountpoint. EMQX leaves unknown placeholders as they are; exgate rejects them.
func mountpoint(s *scope, name string, v *hocon.Value) {
	rest := strings.NewReplacer("${clientid}", "", "${username}", "", "${listener}", "").Replace(v.Text)
	switch {
	case v.Kind != hocon.Scalar || strings.ContainsAny(rest, "+#\x00"):
		s.decide(v, s.name(name), "must be a text without + and #")
		return
	case placeholder.MatchString(rest):
		s.decide(v, s.name(name), "exgate replaces ${clientid}, ${username} and ${listener} only, and rejects %s: "+
			"write its value", placeholder.FindString(rest))
	}
	if v.Text != "" && v.Text != "undefined" {
		s.to.set("mountpoint", v.Text)
	}
}

func accessV5(s *scope, name string, v *hocon.Value) {
	items := v.Items
	if v.Kind == hocon.Scalar {
		items = []*hocon.Value{v}
	}
	if len(items) > 0 {
		s.access(name, items)
	}
}

// demoCertificate returns the default certificate of EMQX 5 for TLS listeners without one. Listeners with pre-shared
// keys do not need it.
func (s *scope) demoCertificate(at *hocon.Value) {
	if s.kind != "tls" && s.kind != "dtls" || s.to.has("psk") {
		return
	}
	for _, options := range []string{"ssl_options", "dtls_options"} {
		if said := at.Fields[options]; said != nil &&
			(said.Fields["certfile"] != nil || said.Fields["keyfile"] != nil) {
			return
		}
	}
	tls := s.to.section("tls")
	tls.set("cert", s.absolute("etc/certs/cert.pem"))
	tls.set("key", s.absolute("etc/certs/key.pem"))
	s.decide(at, s.key, "has no certificate: EMQX uses its bundled one, whose private key is public. Create your own")
}
