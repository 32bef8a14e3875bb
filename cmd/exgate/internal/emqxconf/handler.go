package emqxconf

import (
	"slices"
	"strings"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"
)

// adapterNote is a comment in every result.
const adapterNote = "where handlers call back; anyone who reaches it can act for every device, so bind it to a " +
	"network of handlers only"

// handlerURL carries over the address of a handler, and reports whether it uses https.
func (s *scope) handlerURL(name string, v *hocon.Value) (https bool) {
	target, https, ok := parseURL(v.Text)
	if v.Kind != hocon.Scalar || !ok {
		s.decide(v, s.name(name), "must be like http://127.0.0.1:9001, without a user")
		return false
	}
	s.to.set("handler.grpc", target)
	return https
}

// handlerURLV4 imports the address of a handler, which uses TLS if it begins with https.
func handlerURLV4(s *scope, name string, v *hocon.Value) {
	if s.handlerURL(name, v) {
		s.to.section("handler.tls")
		s.decide(v, s.name(name), "%s", verified)
	}
}

// handlerURLV5 carries over the address of a handler. EMQX 5 ignores whether it begins with https.
func handlerURLV5(s *scope, name string, v *hocon.Value) {
	if s.handlerURL(name, v) && s.wish.plainHandler {
		s.decide(v, s.name(name), "without ssl_options.enable = true EMQX calls the handler without TLS, even with "+
			"https; with handler.tls exgate uses TLS")
	}
}

// verified is the finding for every handler that is called over TLS.
const verified = "exgate verifies the handler's certificate, unlike EMQX by default: handler.tls.ca must have signed " +
	"it, for handler.tls.server_name or the host in handler.grpc"

// handlerFile carries over a file of the handler's TLS.
func handlerFile(to string) rule {
	return func(s *scope, name string, v *hocon.Value) {
		if s.wish.plainHandler {
			s.needless(v, s.name(name), "the handler is called without TLS")
			return
		}
		if path, ok := s.path(name, v); ok {
			s.to.set("handler.tls."+to, path)
		}
	}
}

// finishHandler reports missing settings of the handler.
func (s *scope) finishHandler(at *hocon.Value) {
	handler := s.to.section("handler")
	if !handler.has("grpc") {
		s.decide(at, s.key, "has no handler: set handler.grpc to the host:port of one")
	}
}

// plainHandlerV4 reports whether a listener of EMQX 4 calls its handler without TLS.
func plainHandlerV4(listener *hocon.Value) bool {
	return !slices.ContainsFunc(listener.Keys, func(name string) bool {
		return strings.HasSuffix(name, "_url") && strings.HasPrefix(listener.Fields[name].Text, "https:")
	})
}
