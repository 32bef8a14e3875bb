package config

import (
	"net"
	"strings"
)

func (r rules) listener(key string, l Listener) {
	broken := r.broken(key) // a misspelt setting is not missing too
	switch {
	case l.Unix():
		r.unixPath(key+".bind", l.Bind)
	case l.Bind != "":
		r.address(key+".bind", l.Bind)
	case !broken:
		r.problem(key, "needs bind, the address that devices connect to, such as :7993")
	}
	r.transport(key, l)
	r.admission(key, l)
	if strings.ContainsAny(l.Mountpoint, "+#\x00") {
		r.problem(key+".mountpoint", "must hold no + or #: it is put before topics")
	}
	if l.Handler.Wasm == "" && l.Handler.GRPC == "" {
		if !broken {
			r.problem(key, "needs handler.wasm, the path of a module, or handler.grpc, the host:port of a handler service")
		}
		return
	}
	r.handler(key+".handler", l.Handler)
}

func (r rules) handler(key string, h Handler) {
	switch {
	case h.Wasm != "" && h.GRPC != "":
		r.exclusive(key+".wasm", key+".grpc")
	case h.GRPC == "":
		r.foreign(key, "wasm", "timeout", "max_batch", "dialect")
		r.module(key+".wasm", h)
	default:
		r.foreign(key, "grpc", "config", "limits")
		r.target(key+".grpc", h.GRPC)
	}
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

// target checks the host:port of a service to call.
func (r rules) target(key, address string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || !isPort(port) {
		r.problem(key, "must be host:port, not %s", quoted(address))
	}
}
