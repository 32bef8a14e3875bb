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
	pool     pool // set before the first connection comes; nil: none will
	limits   *Limits
	attached atomic.Int64  // connections, for the choice of a shard
	waiting  atomic.Int64  // events that wait for mu or hold it
	size     atomic.Uint32 // of the memory, in bytes; kept where the home is an apart

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
	used        uint64 // fuel, by the last event
	output      guestLog
}

type instanceKey struct{}

// home is where an instance belongs: a shard, or others of its kind.
type pool interface {
	// leave says that a connection of the instance has ended.
	leave(in *instance)

	// lost says that an event ended the instance. Its lock is held. The orphans are its other connections.
	lost(in *instance, orphans []*connection)
}

// newInstance starts a guest: its start function, _initialize, the receive buffer, its configuration. whose is what the log calls it.
func newInstance(e *Engine, whose slog.Attr) (*instance, error) {
	in := &instance{engine: e, limits: &e.config.Limits, connections: map[int64]*connection{}}
	in.output = newGuestLog(e, whose)
	in.ctx = hostabi.WithHost(context.WithValue(context.Background(), instanceKey{}, in), in)
	in.mu.Lock()
	defer in.mu.Unlock()
	if err := in.begin(); err != nil {
		in.release()
		return nil, err
	}
	return in, nil
}

// settle gives the instance its home: from now on it is one that serves.
func (in *instance) assign(h pool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.pool = h
	if s, ok := h.(*shard); ok {
		in.output.label, in.output.lines = s.label(), in.engine.newLines()
	}
	in.measure()
	in.engine.metrics.instances.Inc()
}

// measure notes the size of the memory for an apart, which bounds what its instances hold together. It requires mu.
func (in *instance) measure() {
	if _, ok := in.pool.(*apart); ok {
		in.size.Store(in.memory.Size())
	}
}

// shared reports whether the instance is a shard's.
func (in *instance) shared() bool {
	_, ok := in.pool.(*shard)
	return ok
}

// connOwner is the owner of an instance that is one connection's.
func connLabel(conn string) slog.Attr { return slog.String("conn", conn) }

var errClosed = errors.New("the engine is closed")

// close waits for the event that runs.
func (in *instance) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.dead == nil {
		in.dead = errClosed
		if in.pool != nil {
			in.engine.metrics.instances.Dec()
		}
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
	in.fuel, in.refused = nil, nil // they hold the memory too
}
