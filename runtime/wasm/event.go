package wasm

import (
	"fmt"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/internal/meter"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/tetratelabs/wazero/api"
)

// bigEvent is the fuel above which an event may have grown the stack to many megabytes.
const bigEvent = 1 << 18

// pendingClose is a connection that the guest has closed. It is closed after the lock is released.
type pendingClose struct {
	adapter gateway.ConnectionAdapter
	reason  gateway.CloseReason
}

// deliver runs an event of c in the guest.
func (in *instance) deliver(c *connection, kind hostabi.Kind, arg int64, body []byte) error {
	if n := in.waiting.Add(1); n > int64(in.limits.Waiting) && kind != hostabi.KindClosed {
		in.waiting.Add(-1)
		in.engine.metrics.hit(limitWaiting)
		err := fmt.Errorf("%d events wait for the instance of %v (limit waiting)", n-1, in.output.label)
		return &gateway.HandlerError{Reason: gateway.ReasonHandlerTimeout, Err: err}
	}
	in.mu.Lock()
	err := in.run(c, kind, arg, body)
	closes, out := in.closes, in.out
	in.closes, in.out, in.current = nil, nil, nil
	in.mu.Unlock()
	in.waiting.Add(-1)
	out.flush(c.adapter)
	for _, p := range closes {
		p.adapter.Close(p.reason)
	}
	return err
}

func (in *instance) run(c *connection, kind hostabi.Kind, arg int64, body []byte) error {
	if kind == hostabi.KindClosed && in.connections[c.id] == nil {
		return nil // the guest has ended, or never saw the connection
	}
	if in.dead != nil && kind == hostabi.KindCreated {
		return errDeadOnArrival
	}
	if in.dead != nil {
		return &gateway.HandlerError{Reason: gateway.ReasonGuestShardLost, Err: in.dead}
	}
	switch kind {
	case hostabi.KindCreated:
		in.connections[c.id] = c
	case hostabi.KindClosed:
		c.closing = true
		defer delete(in.connections, c.id)
	}
	fits, err := in.fill(body)
	if err != nil {
		return in.kill(c, err)
	}
	if !fits {
		in.engine.metrics.drop(droppedMessageSize)
		in.engine.metrics.hit(limitEventBytes)
		in.engine.log.Warn("message dropped: the guest has no buffer for it", "bytes", len(body), "conn",
			c.adapter.ID())
		return nil
	}
	return in.call(c, kind, arg, uint32(len(body)))
}

// fill writes the body of an event to the receive buffer, and grows the buffer if the guest allows it.
func (in *instance) fill(body []byte) (fits bool, err error) {
	if uint64(len(body)) > uint64(in.capacity) {
		if uint64(len(body)) > uint64(in.limits.MemoryPages)<<16 {
			return false, nil
		}
		in.arm(len(body))
		if err := in.growBuffer(uint32(len(body))); err != nil || uint64(len(body)) > uint64(in.capacity) {
			return false, err
		}
	}
	in.memory.Write(in.buffer, body)
	return true, nil
}

func (in *instance) call(c *connection, kind hostabi.Kind, arg int64, length uint32) error {
	in.current = c
	if err := in.enter(c.id, kind, arg, length); err != nil {
		return in.kill(c, err)
	}
	in.count(kind)
	in.measure()
	if kind == kindBytes {
		c.chunk.adapt(int(length), in.limits.HostCalls-in.budget.calls, in.used)
	}
	return in.act(c, hostabi.Action(in.stack[0]), kind)
}

// enter calls the export for an event whose body is in the receive buffer. It leaves the action on the stack.
func (in *instance) enter(conn int64, kind hostabi.Kind, arg int64, length uint32) error {
	in.active, in.output.failure = true, ""
	in.arm(int(length))
	if kind == kindBytes {
		in.stack = [5]uint64{uint64(conn), uint64(in.buffer), uint64(length)}
	} else {
		in.stack = [5]uint64{uint64(kind), uint64(conn), uint64(arg), uint64(in.buffer), uint64(length)}
	}
	return in.invoke(in.function(kind))
}

// count adds the event to the metrics.
func (in *instance) count(kind hostabi.Kind) {
	m := in.engine.metrics
	m.events[kind].Inc()
	if calls := in.limits.HostCalls - in.budget.calls; calls > 0 {
		m.hostCalls.Add(float64(calls))
	}
	if in.budget.over {
		m.hit(limitCallBytes)
	}
	if in.fuel == nil {
		raise(&in.engine.peaks.memory, uint64(in.memory.Size()))
		return
	}
	used := in.spent()
	in.used = used
	if used > in.engine.peaks.fuel.Load() || used >= meter.UnitsPerPage { // what grows the memory costs that much
		in.engine.peaks.event(used, in.memory)
	}
	m.fuel.Observe(float64(used))
	if used > bigEvent {
		in.bytes, in.event = nil, nil
	}
	if refused := in.refused.Get(); refused != 0 {
		in.countRefused(refused)
	}
}

func (in *instance) countRefused(refused uint64) {
	if refused&meter.RefusedMemory != 0 {
		in.engine.metrics.hit(limitMemoryPages)
	}
	if refused&meter.RefusedTable != 0 {
		in.engine.metrics.hit(limitTableElements)
	}
}

// function returns the export for a kind of event. Each has a stack of 10 KiB or more, which is kept between calls; an
// instance of one connection keeps only the one for bytes.
func (in *instance) function(kind hostabi.Kind) api.Function {
	if kind != kindBytes {
		f := in.event
		if f == nil {
			f = in.module.ExportedFunction(hostabi.ExportEvent)
		}
		if in.shared() {
			in.event = f
		}
		return f
	}
	if in.bytes == nil {
		in.bytes = in.module.ExportedFunction(hostabi.ExportBytes)
	}
	return in.bytes
}

func (in *instance) act(c *connection, action hostabi.Action, kind hostabi.Kind) error {
	switch {
	case kind == hostabi.KindClosed || action == hostabi.ActionContinue:
	case action == hostabi.ActionPause:
		c.adapter.Pause()
	case action == hostabi.ActionClose:
		in.closeLater(c, gateway.ReasonNormal)
	case action == hostabi.ActionFail:
		return in.fail(c, kind)
	default:
		err := fmt.Errorf("the guest returned action %d for a %v event", int32(action), kind)
		return in.kill(c, &gateway.HandlerError{Reason: gateway.ReasonGuestBadAction, Err: err})
	}
	return nil
}

// closeLater closes c after the lock is released. From now on the guest cannot name it.
func (in *instance) closeLater(c *connection, reason gateway.CloseReason) {
	if !c.closing {
		c.closing = true
		in.closes = append(in.closes, pendingClose{c.adapter, reason})
	}
}
