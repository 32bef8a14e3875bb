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

// instance is a running guest and the connections that belong to it.
type instance struct {
	engine   *Engine
	pool     pool // set before the first connection is attached; nil if none will be
	limits   *Limits
	attached atomic.Int64  // connections, by which a shard is chosen
	waiting  atomic.Int64  // events that wait for mu or hold it
	size     atomic.Uint32 // of the memory, in bytes; set only if pool is an apart

	mu sync.Mutex // held while the guest runs

	// Guarded by mu.
	ctx         context.Context // carries the instance to the imports
	module      api.Module      // nil once dead
	memory      api.Memory
	bytes       api.Function // made at the first use; see function
	event       api.Function
	active      bool // it had an event since freeIdleStacks last ran
	fuel        api.MutableGlobal
	refused     api.MutableGlobal
	buffer      uint32 // address of the receive buffer, and its size
	capacity    uint32
	stack       [5]uint64
	connections map[int64]*connection
	dead        error
	closes      []pendingClose
	current     *connection // the connection whose event runs
	out         *outbox     // what current has been sent; nil if nothing
	budget      budget
	used        uint64 // fuel used by the last event
	output      guestLog
}

type instanceKey struct{}

// pool is what an instance belongs to: a shard, or the instances apart, or those of single connections.
type pool interface {
	// leave is called when a connection of the instance has ended.
	leave(in *instance)

	// lost is called, with the lock of the instance held, when an event has ended the instance. others are its other
	// connections.
	lost(in *instance, others []*connection)
}

// newInstance starts a guest: it runs the start function and _initialize, and hands over the receive buffer and the
// configuration. label identifies the instance in the log.
func newInstance(e *Engine, label slog.Attr) (*instance, error) {
	in := &instance{engine: e, limits: &e.config.Limits, connections: map[int64]*connection{}}
	in.output = newGuestLog(e, label)
	in.ctx = hostabi.WithHost(context.WithValue(context.Background(), instanceKey{}, in), in)
	in.mu.Lock()
	defer in.mu.Unlock()
	if err := in.begin(); err != nil {
		in.release()
		return nil, err
	}
	return in, nil
}

// assign puts the instance into a pool. From now on it serves connections.
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

// measure records the size of the memory for an apart, which bounds the memory of its instances together. The caller
// holds mu.
func (in *instance) measure() {
	if _, ok := in.pool.(*apart); ok {
		in.size.Store(in.memory.Size())
	}
}

// shared reports whether the instance belongs to a shard.
func (in *instance) shared() bool {
	_, ok := in.pool.(*shard)
	return ok
}

// connLabel identifies the instance of a single connection in the log.
func connLabel(conn string) slog.Attr { return slog.String("conn", conn) }

var errClosed = errors.New("the engine is closed")

// close waits for the running event and ends the instance.
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

// release frees the module and its memory. The guest must not be running.
func (in *instance) release() {
	if in.module != nil {
		_ = in.module.Close(in.ctx)
	}
	in.output.flush()
	in.module, in.memory, in.bytes, in.event, in.connections = nil, nil, nil, nil, nil
	in.fuel, in.refused = nil, nil // they keep the memory alive
}
