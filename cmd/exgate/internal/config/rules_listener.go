package config

func (r rules) listener(key string, l Listener) {
	broken := r.broken(key) // a misspelt setting is not missing too
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
