package emqxconf

import "github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"

// handlerV5 carries over the handler, which all listeners of EMQX 5 share.
func (s *scope) handlerV5(key string, v *hocon.Value) {
	s.to.set("handler.dialect", "auto")
	s.to.section("handler").note("dialect",
		"detected at start: stream in 5.0, and unary since 5.1 unless service_name differs")
	if v == nil {
		return
	}
	inner := *s
	inner.key = key
	inner.wish.plainHandler = plainHandlerV5(v)
	inner.apply(v, rules{"address": handlerURLV5, "service_name": serviceName, "ssl_options": handlerTLS})
}

func serviceName(s *scope, name string, v *hocon.Value) {
	dialect, ok := map[string]string{"ConnectionUnaryHandler": "unary", "ConnectionHandler": "stream"}[v.Text]
	if !ok {
		s.decide(v, s.name(name), "must be ConnectionUnaryHandler or ConnectionHandler")
		return
	}
	s.to.set("handler.dialect", dialect)
}

// plainHandlerV5 reports whether EMQX 5 calls the handler without TLS.
func plainHandlerV5(handler *hocon.Value) bool {
	options := handler.Fields["ssl_options"]
	return options == nil || options.Fields["enable"] == nil || options.Fields["enable"].Text != "true" &&
		options.Fields["enable"].Text != "on"
}

// handlerTLSRules are those of the handler's ssl_options.
var handlerTLSRules = merged(neutralTLSRules, rules{
	"enable":                 func(*scope, string, *hocon.Value) {}, // see plainHandlerV5
	"certfile":               handlerFile("cert"),
	"keyfile":                handlerFile("key"),
	"cacertfile":             handlerFile("ca"),
	"verify":                 checksHandler,
	"versions":               ignored("exgate uses TLS 1.2 or 1.3, depending on the handler"),
	"ciphers":                ignored("exgate uses the secure ones"),
	"password":               password("handler.tls.key"),
	"server_name_indication": serverName,
	"middlebox_comp_mode":    ignored("Go's TLS follows TLS 1.3"),
})

// handlerTLS imports the TLS settings for calls to the handler.
func handlerTLS(s *scope, name string, v *hocon.Value) {
	if s.wish.plainHandler {
		s.needless(v, s.name(name), "without enable = true EMQX calls the handler without TLS")
		return
	}
	s.to.section("handler.tls")
	within(handlerTLSRules)(s, name, v)
	if v.Fields["verify"] == nil {
		s.decide(v, s.name(name), "%s", verified)
	}
}

func checksHandler(s *scope, name string, v *hocon.Value) {
	if v.Text != "verify_peer" {
		s.decide(v, s.name(name), "%s", verified)
	}
}

func serverName(s *scope, name string, v *hocon.Value) {
	switch v.Text {
	case "", "auto":
	case "disable":
		s.decide(v, s.name(name), "%s", verified)
	default:
		s.to.set("handler.tls.server_name", v.Text)
	}
}
