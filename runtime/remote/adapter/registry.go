package adapter

import (
	"sync"

	"github.com/exgate/exgate/runtime/gateway"
)

// directory finds connections by their id for calls that come from outside: from OnSocketCreated until OnSocketClosed was delivered.
type directory struct {
	scopes scopes
	conns  sync.Map // string to *listed
}

// Registration enters the connections of one handler into a directory.
type Registration struct {
	in      *directory
	handler string
	scope   scope
}

type listedConn struct {
	gateway.ConnectionAdapter
	registration *Registration
}

// handler is the name of the handler that was given the connection, "" without a connection.
func (l *listedConn) handler() string {
	if l == nil {
		return ""
	}
	return l.registration.handler
}

// register begins a handler's registry: callers that present token, or none where it is "", may touch its connections.
func (d *directory) register(handler, token string) *Registration {
	r := &Registration{in: d, handler: handler, scope: scopeOf(token)}
	d.scopes.join(r.scope)
	return r
}

// Leave ends the registry; it is called once.
func (r *Registration) Leave() { r.in.scopes.leave(r.scope) }

func (r *Registration) Add(id string, conn gateway.ConnectionAdapter) {
	r.in.conns.Store(id, &listedConn{ConnectionAdapter: conn, registration: r})
}

func (r *Registration) Remove(id string) { r.in.conns.Delete(id) }

// find returns the connection, whoever may touch it.
func (d *directory) find(id string) (*listedConn, bool) {
	found, ok := d.conns.Load(id)
	if !ok {
		return nil, false
	}
	return found.(*listedConn), true
}
