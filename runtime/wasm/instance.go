package wasm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/runtime/wasm/internal/meter"
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
	bytes       api.Function
	event       api.Function
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

func (in *instance) begin() error {
	module, err := in.engine.program.instantiate(in.ctx)
	if err != nil {
		return fmt.Errorf("instantiating: %w", err)
	}
	in.module, in.memory = module, module.Memory()
	in.fuel = module.ExportedGlobal(meter.FuelGlobal).(api.MutableGlobal)
	in.refused = module.ExportedGlobal(meter.RefusedGlobal).(api.MutableGlobal)
	for _, name := range []string{meter.StartFunction, hostabi.ExportInitialize} {
		if err := in.startStep(name); err != nil {
			return err
		}
	}
	in.armStart()
	if err := in.growBuffer(in.limits.EventBytes); err != nil {
		return err
	}
	if in.buffer == 0 {
		return fmt.Errorf("%s refuses %d bytes, the size of an event (limit event_bytes)", hostabi.ExportBuffer, in.limits.EventBytes)
	}
	in.lookUp()
	return in.configure()
}

// startStep calls an export without parameters, where there is one.
func (in *instance) startStep(name string) error {
	f := in.module.ExportedFunction(name)
	if f == nil {
		return nil
	}
	in.armStart()
	if err := f.CallWithStack(in.ctx, nil); err != nil {
		return in.startFault(name, err)
	}
	return nil
}

// lookUp makes the functions that events call. Each has a stack of its own that is kept between calls.
func (in *instance) lookUp() {
	in.bytes, in.event = in.module.ExportedFunction(hostabi.ExportBytes), in.module.ExportedFunction(hostabi.ExportEvent)
}

// growBuffer asks the guest for a buffer of size bytes. Where the guest refuses, buffer is 0 if it had none and as before otherwise.
func (in *instance) growBuffer(size uint32) error {
	in.stack[0] = uint64(size)
	if err := in.module.ExportedFunction(hostabi.ExportBuffer).CallWithStack(in.ctx, in.stack[:]); err != nil {
		return in.startFault(hostabi.ExportBuffer, err)
	}
	p := uint32(in.stack[0])
	if p == 0 {
		return nil
	}
	if uint64(p)+uint64(size) > uint64(in.memory.Size()) {
		return fmt.Errorf("%s returned %#x for %d bytes, which is outside the memory", hostabi.ExportBuffer, p, size)
	}
	in.buffer, in.capacity = p, size
	return nil
}

func (in *instance) configure() error {
	config := in.engine.config.GuestConfig
	if uint64(len(config)) > uint64(in.capacity) {
		return fmt.Errorf("the guest configuration has %d bytes: at most %d (limit event_bytes)", len(config), in.capacity)
	}
	in.memory.Write(in.buffer, config)
	in.armStart()
	in.stack[0], in.stack[1] = uint64(in.buffer), uint64(len(config))
	if err := in.module.ExportedFunction(hostabi.ExportInit).CallWithStack(in.ctx, in.stack[:]); err != nil {
		return in.startFault(hostabi.ExportInit, err)
	}
	if refusal := int32(in.stack[0]); refusal != 0 {
		return fmt.Errorf("the guest refuses its configuration: %s returned %d", hostabi.ExportInit, refusal)
	}
	return nil
}

func (in *instance) startFault(what string, err error) error {
	return fmt.Errorf("%s: %w", what, in.fault(err))
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
