package config

import (
	"slices"
	"strings"
)

func (r rules) listener(key string, l Listener) {
	broken := r.broken(key) // a misspelt setting is not missing too
	if !broken && r.unknownListener(key, l) {
		return
	}
	r.socket(key, l)
	if l.Session == Shared && !r.cfg.Upstream.Elsewhere() && !r.broken("upstream.url") {
		r.problem(key+".session", "shared needs upstream.url: the embedded broker costs no connections to share")
	}
	if l.Handler.Module == "" && l.Handler.Wasm == "" && len(l.Handler.GRPC) == 0 {
		if !broken {
			r.problem(key, "needs handler.wasm, the path of a module, handler.module, the name of one in the folder modules, "+
				"or handler.grpc, the host:port of a handler service")
		}
		return
	}
	r.handler(key+".handler", l.Handler)
}

// unknownListener refuses a listener that the file does not have and that a variable or a flag gives too little for: its name is probably misspelt.
func (r rules) unknownListener(key string, l Listener) bool {
	at, said := r.cfg.said(key)
	complete := l.Bind != "" && (l.Handler.Module != "" || l.Handler.Wasm != "" || len(l.Handler.GRPC) > 0)
	if !said || at.order < orderEnvironment || complete {
		return false
	}
	name := strings.TrimPrefix(key, "listeners.")
	others := slices.DeleteFunc(r.cfg.Names(), func(other string) bool {
		at, said := r.cfg.said("listeners." + other)
		return said && at.order >= orderEnvironment
	})
	if len(others) == 0 {
		return false
	}
	if near := nearest(name, others); near != "" {
		r.problems.add(at, key, "no listener of the file has this name, did you mean %q? A new one needs bind and handler", near)
	} else {
		r.problems.add(at, key, "no listener of the file has this name: it has %s. A new one needs bind and handler", cut(strings.Join(others, ", ")))
	}
	return true
}

// socket checks all of a listener but its handler.
func (r rules) socket(key string, l Listener) {
	broken := r.broken(key)
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
	r.taps(key, l)
	r.topics(key, l)
}
