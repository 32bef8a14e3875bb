package wasm

import (
	"fmt"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/wasm/internal/cpuclock"
)

// budget is what is left of an event's limits, but for fuel, which the guest counts.
type budget struct {
	fuel     uint32 // what the event may spend
	calls    int
	bytes    int
	clock    *cpuclock.Clock       // of a guest that is not metered; nil: fuel, calls and bytes bound the event
	starting bool                  // it is a step of starting an instance
	over     bool                  // a call was refused because of its bytes
	exceeded *gateway.HandlerError // for the limit that the guest passed
	limit    string                // its name
}

// arm makes the limits of an event ready, whose body has so many bytes.
func (in *instance) arm(body int) {
	in.refuel(in.limits.eventFuel(body))
	in.budget.reset(in.limits)
}

// armStart is arm for a step of starting an instance.
func (in *instance) armStart() {
	in.refuel(in.limits.StartFuel)
	in.budget.reset(in.limits)
	in.budget.starting = true
}

func (in *instance) refuel(fuel uint32) {
	in.budget.fuel = fuel
	if in.fuel != nil {
		in.fuel.Set(uint64(fuel))
		in.refused.Set(0)
	}
}

// spent is what the event used so far.
func (in *instance) spent() uint64 { return uint64(max(int64(in.budget.fuel)-int64(in.fuel.Get()), 0)) }

func (b *budget) reset(l *Limits) {
	b.calls, b.bytes, b.exceeded = l.HostCalls, l.CallBytes, nil
	b.starting, b.over = false, false
}

// call counts a host call. It panics where the guest has passed a limit: the panic ends the event, and fault finds the reason in broken.
func (b *budget) call() {
	b.calls--
	if b.calls < 0 {
		b.stop(limitHostCalls, gateway.ReasonGuestCalls, "more host calls in one event than the limit host_calls allows")
	}
	if b.clock != nil && b.clock.Err() != nil {
		b.stop(b.timeLimit(), gateway.ReasonGuestTime, "it took more than %v (limit %s)", b.clock.Limit(), b.timeLimit())
	}
}

func (b *budget) timeLimit() string {
	if b.starting {
		return limitStartTime
	}
	return limitWallTime
}

func (b *budget) fuelLimit() string {
	if b.starting {
		return limitStartFuel
	}
	return limitFuel
}

func (b *budget) stop(limit string, reason gateway.CloseReason, format string, args ...any) {
	b.limit, b.exceeded = limit, &gateway.HandlerError{Reason: reason, Err: fmt.Errorf(format, args...)}
	panic(b.exceeded)
}

// pay takes n bytes, or reports that the event has handed over as many as it may.
func (b *budget) pay(n int) bool {
	if n > b.bytes {
		b.over = true
		return false
	}
	b.bytes -= n
	return true
}
