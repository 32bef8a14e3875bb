package wasm

import (
	"fmt"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// budget is what is left of an event's limits, but for fuel, which the guest counts.
type budget struct {
	calls    int
	bytes    int
	deadline time.Time
	wall     time.Duration
	broken   *gateway.HandlerError // the limit that the guest passed
}

// callsPerClock is how many host calls go by between looks at the clock.
const callsPerClock = 16

func (in *instance) arm() {
	in.fuel.Set(uint64(in.limits.Fuel))
	in.refused.Set(0)
	in.budget.reset(in.limits, in.limits.WallTime)
}

// armStart is arm for a step of starting an instance.
func (in *instance) armStart() {
	in.fuel.Set(uint64(in.limits.StartFuel))
	in.refused.Set(0)
	in.budget.reset(in.limits, in.limits.StartTime)
}

func (b *budget) reset(l *Limits, wall time.Duration) {
	b.calls, b.bytes, b.broken = l.HostCalls, l.CallBytes, nil
	b.wall, b.deadline = wall, time.Now().Add(wall)
}

// call counts a host call. It panics where the guest has passed a limit: the panic ends the event, and fault finds the reason in broken.
func (b *budget) call() {
	b.calls--
	if b.calls < 0 {
		b.stop(gateway.ReasonGuestCalls, "more host calls in one event than the limit host_calls allows")
	}
	if b.calls%callsPerClock == 0 && time.Now().After(b.deadline) {
		b.stop(gateway.ReasonGuestTime, "the event took more than %v (limit wall_time)", b.wall)
	}
}

func (b *budget) stop(reason gateway.CloseReason, format string, args ...any) {
	b.broken = &gateway.HandlerError{Reason: reason, Err: fmt.Errorf(format, args...)}
	panic(b.broken)
}

// pay takes n bytes, or reports that the event has handed over as many as it may.
func (b *budget) pay(n int) bool {
	if n > b.bytes {
		return false
	}
	b.bytes -= n
	return true
}
