package emqxconf

import (
	"regexp"
	"strings"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"
)

const brokersOwn = "devices log in at the broker of upstream, each as a client of its own: configure it there"

var v5ListenerRules = merged(listenerRules, rules{
	"bind":         bind,
	"enable":       func(*scope, string, *hocon.Value) {}, // see listenerV5
	"enabled":      func(*scope, string, *hocon.Value) {}, // its name in 5.0
	"mountpoint":   mountpoint,
	"access_rules": accessV5,
	"enable_authn": wanted(true, "EMQX let devices in without asking; at the broker of upstream, allow "+
		"anonymous clients"),
	"authentication": lost(brokersOwn),
	"tcp_options":    within(socketRules),
	"udp_options":    within(socketRules),
	"ssl_options":    within(tlsRules),
	"dtls_options":   within(tlsRules),
	"health_check": lost("exgate answers no datagrams of its own: let the handler answer, or probe /healthz " +
		"of metrics.bind"),
})

// gatewayV5 is what gateway.exproto says of all its listeners.
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
		"enable_stats":   ignored("metrics are served where metrics.bind says"),
		"authentication": lost(brokersOwn),
		"clientinfo_override": within(rules{
			"username": lost("the handler says the username in Authenticate"),
			"password": lost("the handler says the password in Authenticate"),
			"clientid": lost("the handler says the clientid in Authenticate"),
		}),
	})
	top.listenersV5(listeners, &common)
}

// serverV5 carries over where the adapter listens.
func serverV5(s *scope, name string, v *hocon.Value) {
	inner := &scope{importer: s.importer, key: s.name(name), to: s.to.section("adapter")}
	inner.apply(v, rules{
		"bind": port,
		"ssl_options": lost("EMQX 5 listens for handlers without TLS whatever it says (it looks for the setting " +
			"under another name), so handlers call without; " +
			"once they call with TLS, set adapter.tls: {cert, key}"),
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
		s.decide(v, key, "EMQX does not start it, and neither does exgate: it is left out")
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

// mountpoint carries over what stands before topics. EMQX leaves what it cannot fill in as it is; exgate refuses it.
func mountpoint(s *scope, name string, v *hocon.Value) {
	rest := strings.NewReplacer("${clientid}", "", "${username}", "", "${listener}", "").Replace(v.Text)
	switch {
	case v.Kind != hocon.Scalar || strings.ContainsAny(rest, "+#\x00"):
		s.decide(v, s.name(name), "must be a text without + and #")
		return
	case placeholder.MatchString(rest):
		s.decide(v, s.name(name), "exgate fills in ${clientid}, ${username} and ${listener} only, and does not start "+
			"with %s: write what it stands for", placeholder.FindString(rest))
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

// demoCertificate names the files that EMQX 5 takes where a listener with TLS names none. With keys shared with devices
// it needs none.
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
	s.decide(at, s.key, "names no certificate: EMQX takes the one that it comes with, whose private key everybody "+
		"has. Make one of your own")
}
