package remote

import (
	"sync"

	"github.com/exgate/exgate/runtime/gateway"
)

// registry finds connections by their id for calls that come from outside: from OnSocketCreated until OnSocketClosed was delivered.
type registry struct {
	conns sync.Map // string to gateway.ConnectionAdapter
}

func (r *registry) add(id string, conn gateway.ConnectionAdapter) { r.conns.Store(id, conn) }

func (r *registry) remove(id string) { r.conns.Delete(id) }

// find returns the connection, or the refusal of a call to one that is not there.
func (r *registry) find(id string) (gateway.ConnectionAdapter, gateway.Result) {
	if id == "" {
		return nil, gateway.Refuse(gateway.CodeRequiredParamsMiss, "conn is required")
	}
	conn, ok := r.conns.Load(id)
	if !ok {
		return nil, gateway.Refuse(gateway.CodeConnProcessNotAlive, "no connection has this conn")
	}
	return conn.(gateway.ConnectionAdapter), gateway.OK
}
