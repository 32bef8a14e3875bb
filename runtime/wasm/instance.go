package wasm

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/exgate/exgate/hostabi"
	"github.com/tetratelabs/wazero/api"
)

// instance is one running guest and the connections that are its own.
type instance struct {
	engine   *Engine
	shard    *shard // nil where the instance is one connection's
	limits   *Limits
	attached atomic.Int64 // connections, for the choice of a shard
	waiting  atomic.Int64 // events that wait for mu or hold it

	mu sync.Mutex // held while the guest runs

	// Guarded by mu.
	ctx         context.Context // carries the instance to the imports
	module      api.Module      // nil when dead
	memory      api.Memory
	bytes       api.Function // made when it is first needed; see function
	event       api.Function
	active      bool // it had an event since the last rest
	fuel        api.MutableGlobal
	refused     api.MutableGlobal
	buffer      uint32 // address of the receive buffer, and its size
	capacity    uint32
	stack       [5]uint64
	connections map[int64]*connection
	dead        error
	closes      []pendingClose
	current     *connection // whose event runs
	out         *outbox     // what it sent to its own connection; nil: nothing
	budget      budget
	output      guestLog
}

type instanceKey struct{}

// newInstance starts a guest: its start function, _initialize, the receive buffer, its configuration.
// It is for a shard, or for the connection whose name conn is.
func newInstance(e *Engine, s *shard, conn string) (*instance, error) {
	in := &instance{engine: e, shard: s, limits: &e.config.Limits, connections: map[int64]*connection{}}
	in.output = newGuestLog(e, in.whose(conn))
	in.ctx = hostabi.WithHost(context.WithValue(context.Background(), instanceKey{}, in), in)
	in.mu.Lock()
	defer in.mu.Unlock()
	if err := in.begin(); err != nil {
		in.release()
		return nil, err
	}
	in.engine.metrics.instances.Inc()
	return in, nil
}

// whose is the shard or connection that the instance is for, for the log.
func (in *instance) whose(conn string) slog.Attr {
	if in.shard != nil {
		return slog.Int("shard", in.shard.index)
	}
	return slog.String("conn", conn)
}

var errClosed = errors.New("the engine is closed")

// close waits for the event that runs.
func (in *instance) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.dead == nil {
		in.dead = errClosed
		in.engine.metrics.instances.Dec()
	}
	in.release()
}

// release frees the module. It must not be running: its memory goes away.
func (in *instance) release() {
	if in.module != nil {
		_ = in.module.Close(in.ctx)
	}
	in.output.flush()
	in.module, in.memory, in.bytes, in.event, in.connections = nil, nil, nil, nil, nil
}
