package wasm

import (
	"fmt"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/wasm/internal/cpuclock"
)

// budget is what remains of an event's limits, except for fuel, which the guest counts.
type budget struct {
	fuel     uint32 // what the event may spend
	calls    int
	bytes    int
	clock    *cpuclock.Clock       // nil if the guest is metered
	starting bool                  // the call is a step of starting an instance
	over     bool                  // a call was refused because of its bytes
	exceeded *gateway.HandlerError // for the limit that the guest passed
	limit    string                // its name
}

// arm sets the limits for an event with a body of so many bytes.
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

// spent returns the fuel that the event has used so far, or 0 if it is not metered.
func (in *instance) spent() uint64 {
	if in.fuel == nil {
		return 0
	}
	return uint64(max(int64(in.budget.fuel)-int64(in.fuel.Get()), 0))
}

func (b *budget) reset(l *Limits) {
	b.calls, b.bytes, b.exceeded = l.HostCalls, l.CallBytes, nil
	b.starting, b.over = false, false
}

// call counts a host call. If a limit is exceeded, it panics to end the event, and fault takes the reason from
// exceeded.
func (b *budget) call() {
	b.calls--
	if b.calls < 0 {
		b.stop(limitHostCalls, gateway.ReasonGuestCalls,
			"more host calls in one event than the limit host_calls allows")
	}
	if b.clock != nil && b.clock.Err() != nil {
		b.stop(b.timeLimit(), gateway.ReasonGuestTime, "it took more than %v (limit %s)", b.clock.Limit(),
			b.timeLimit())
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

// pay charges n bytes. It reports false if the event has used up its bytes.
func (b *budget) pay(n int) bool {
	if n > b.bytes {
		b.over = true
		return false
	}
	b.bytes -= n
	return true
}
