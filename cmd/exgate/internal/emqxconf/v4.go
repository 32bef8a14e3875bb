package emqxconf

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"
)

// v4ListenerRules holds the rules of exproto.listener.NAME, which includes the options of its socket and of TLS.
var v4ListenerRules = merged(listenerRules, socketRules, tlsRules, rules{
	own:            func(*scope, string, *hocon.Value) {}, // the address, see listenerV4
	"idle_timeout": duration("idle_timeout"),
	"access":       accessV4,
}, handlerRulesV4("connection_handler"), handlerRulesV4("proto_handler"), handlerRulesV4("proto_adapter"))

// handlerRulesV4 holds the rules of the handler, whose settings had other names before the release of 4.2.
func handlerRulesV4(prefix string) rules {
	return rules{
		prefix + "_url":        handlerURLV4,
		prefix + "_certfile":   handlerFile("cert"),
		prefix + "_keyfile":    handlerFile("key"),
		prefix + "_cacertfile": handlerFile("ca"),
	}
}

func merged(all ...rules) rules {
	sum := rules{}
	for _, some := range all {
		for name, r := range some {
			sum[name] = r
		}
	}
	return sum
}

// importV4 carries over exproto.* of EMQX 4.
func (im *importer) importV4(exproto *hocon.Value) {
	top := &scope{importer: im, key: "exproto", to: im.out}
	top.apply(exproto, rules{
		"server":   serverV4,
		"service":  serverV4, // its name before the release of 4.2
		"listener": listenersV4,
	})
}

// serverV4 carries over the address of the adapter. EMQX could have two; exgate has one: the one without TLS, if EMQX
// had both.
func serverV4(s *scope, name string, v *hocon.Value) {
	inner := &scope{importer: s.importer, key: s.name(name), to: s.to.section("adapter"), kind: "tls", wish: &wish{}}
	https := within(rules{
		"port": port, "certfile": file("tls.cert"), "keyfile": file("tls.key"),
		"cacertfile": ignored("EMQX does not verify the certificates of handlers; adapter.tls.client_ca does"),
	})
	if v.Kind == hocon.Object && v.Fields["http"] != nil {
		https = within(rules{
			"port": lost(bothPorts), "certfile": ignored("it goes with the port"),
			"keyfile": ignored("it goes with the port"), "cacertfile": ignored("it goes with the port"),
		})
	}
	inner.apply(v, rules{"http": within(rules{"port": port}), "https": https})
}

const bothPorts = "exgate's adapter has one address, that of http: with adapter.tls: {cert, key} it uses TLS " +
	"for all handlers"

func port(s *scope, name string, v *hocon.Value) {
	if setBind(s, name, v, "a port") {
		s.to.note("bind", adapterNote)
	}
}

func listenersV4(s *scope, name string, v *hocon.Value) {
	if v.Kind != hocon.Object {
		s.decide(v, s.name(name), "must be like exproto.listener.NAME = tcp://0.0.0.0:7993")
		return
	}
	for _, listener := range v.Keys {
		s.listenerV4(listener, s.name(name)+"."+listener, v.Fields[listener])
	}
}

func (s *scope) listenerV4(name, key string, v *hocon.Value) {
	at := v
	if v.Kind == hocon.Object {
		at = v.Fields[own]
	}
	if at == nil {
		s.decide(v, key, "has no address such as tcp://0.0.0.0:7993: EMQX does not start it")
		return
	}
	scheme, address, ok := strings.Cut(at.Text, "://")
	if !ok {
		scheme, address = "tcp", at.Text
	}
	bind, ok := parseBind(address)
	if kinds[scheme] == "" || !ok {
		s.decide(at, key, "must be like tcp://0.0.0.0:7993, with tcp, ssl, udp or dtls")
		return
	}
	l := s.newListener(kinds[scheme], name, key, at)
	l.to.set("bind", bind)
	l.to.set("handler.dialect", "auto")
	l.to.section("handler").note("dialect", "detected at start: stream in 4.3 and 4.4, unary-v42 in Enterprise 4.2")
	if v.Kind == hocon.Object {
		l.wish.plainHandler = plainHandlerV4(v)
		l.apply(v, v4ListenerRules)
	}
	l.finishHandler(at)
	l.finish()
}

// accessV4 carries over access.1, access.2 and so on, in order.
func accessV4(s *scope, name string, v *hocon.Value) {
	numbers := slices.Clone(v.Keys)
	slices.SortStableFunc(numbers, func(a, b string) int {
		m, _ := strconv.Atoi(a)
		n, _ := strconv.Atoi(b)
		return cmp.Compare(m, n)
	})
	var items []*hocon.Value
	for _, number := range numbers {
		items = append(items, v.Fields[number])
	}
	if len(items) == 0 {
		items = append(items, v)
	}
	s.access(name, items)
}
