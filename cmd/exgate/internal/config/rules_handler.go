package config

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/exgate/exgate/internal/boundedfile"
)

// The settings that only one kind of handler has.
var (
	ofModules  = []string{"config", "isolation", "limits", "start_image", "unmetered"}
	ofServices = []string{
		"adapter_token_file", "dialect", "hold_timeout", "max_batch", "max_in_flight", "max_message_size", "on_failure", "stream_sets", "timeout",
		"tls", "token_file",
	}
)

func (r rules) handler(key string, h Handler) {
	switch {
	case h.Module != "" && h.Wasm != "":
		r.exclusive(key+".module", key+".wasm")
	case h.Module != "" && len(h.GRPC) > 0:
		r.exclusive(key+".module", key+".grpc")
	case h.Wasm != "" && len(h.GRPC) > 0:
		r.exclusive(key+".wasm", key+".grpc")
	case h.Module != "":
		r.foreign(key, "module", ofServices...)
		r.named(key, h.Module)
	case len(h.GRPC) == 0:
		r.foreign(key, "wasm", ofServices...)
		r.module(key+".wasm", h)
	default:
		if h.Shadow.Wasm == "" { // then they are the shadow's
			r.foreign(key, "grpc", ofModules...)
		}
		r.service(key, h)
	}
}

// service checks how a handler service is reached.
func (r rules) service(key string, h Handler) {
	for i, address := range h.GRPC {
		r.target(r.cfg.origins.ofItem(key+".grpc", i), key+".grpc", address)
	}
	r.clientTLS(key+".tls", h.TLS)
	r.tokenFile(key+".token_file", h.TokenFile)
	r.tokenFile(key+".adapter_token_file", h.AdapterTokenFile)
	if at, said := r.cfg.said(key + ".stream_sets"); said && h.Dialect != "" && h.Dialect != "stream" && h.Dialect != "auto" {
		r.problems.add(at, key+".stream_sets", "needs dialect: stream, or auto")
	}
	if at, said := r.cfg.said(key + ".hold_timeout"); said && (h.OnFailure == "" || h.OnFailure == "close") {
		r.problems.add(at, key+".hold_timeout", "needs on_failure: retry or hold")
	}
}

// clientTLS checks what a connection to a server is secured with.
func (r rules) clientTLS(key string, t ClientTLS) {
	r.file(key+".ca", t.CA)
	r.file(key+".cert", t.Cert)
	r.file(key+".key", t.Key)
	switch {
	case r.broken(key):
	case (t.Cert == "") != (t.Key == ""):
		r.problem(key, "needs cert and key, or neither")
	case t.Cert != "":
		r.pair(key, t.Cert, t.Key)
	}
	r.certificates(key+".ca", t.CA)
}

// tokenFile checks that a file with a secret holds one.
func (r rules) tokenFile(key, name string) {
	r.file(key, name)
	if name == "" || r.broken(key) {
		return
	}
	if _, err := ReadToken(name); err != nil {
		r.problem(key, "%v", err)
	}
}

// maxToken bounds a token, in bytes: it goes into a header of each call.
const maxToken = 4096

// ReadToken reads a secret from a file: its only line, of printable ASCII. Errors do not hold it.
func ReadToken(name string) (string, error) {
	data, err := boundedfile.Read(name, maxToken+2) // and a line end
	switch {
	case errors.Is(err, boundedfile.ErrTooLarge):
		return "", fmt.Errorf("%s holds more than %d bytes: is it a token?", name, maxToken)
	case err != nil:
		return "", fmt.Errorf("%s: %w", name, cause(err))
	}
	token := strings.TrimSpace(string(data))
	switch {
	case token == "":
		return "", fmt.Errorf("%s is empty: it must hold a token", name)
	case len(token) > maxToken:
		return "", fmt.Errorf("%s holds more than %d bytes: is it a token?", name, maxToken)
	case strings.ContainsFunc(token, func(c rune) bool { return c < '!' || c > '~' }):
		return "", fmt.Errorf("%s must hold one line without spaces", name)
	}
	return token, nil
}

// foreign refuses the settings that belong to the other kind of handler.
func (r rules) foreign(key, kind string, names ...string) {
	for _, name := range names {
		inner := key + "." + name
		if at, ok := r.cfg.said(inner); ok {
			r.problems.add(at, inner, "does not belong to a %s handler", kind)
		}
	}
}

func (r rules) module(key string, h Handler) {
	name, builtin := h.BuiltinName()
	if !builtin {
		r.file(key, h.Wasm)
		return
	}
	for _, known := range builtins {
		if name == known {
			return
		}
	}
	r.problem(key, "no module %s is built in, there is %s", quoted(name), Builtin+either(builtins))
}

// target checks the host:port of a service to call, which may begin with http:// or https:// as in EMQX's configuration.
func (r rules) target(at origin, key, address string) {
	rest := strings.TrimSuffix(address, "/")
	for _, scheme := range []string{"http://", "https://"} {
		rest = strings.TrimPrefix(rest, scheme)
	}
	if !isHostPort(rest) {
		r.problems.add(at, key, "must be host:port, not %s", quoted(address))
	}
}

// isHostPort reports whether a server can be called at an address.
func isHostPort(address string) bool {
	host, port, err := net.SplitHostPort(address)
	return err == nil && host != "" && isPort(port)
}
