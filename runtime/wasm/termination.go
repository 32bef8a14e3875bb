package wasm

import (
	"context"
	"fmt"
	"time"

	"github.com/exgate/exgate/internal/meter"
	"github.com/exgate/exgate/runtime/wasm/internal/cpuclock"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// Unmetered says what to do with a module that cannot be metered, because it has instructions or sizes that package
// meter does not support.
type Unmetered string

// What to do with it.
const (
	// UnmeteredRefuse refuses to load it.
	UnmeteredRefuse Unmetered = "refuse"

	// UnmeteredContext runs it, and ends an event that has used more processor time than Limits.WallTime. An event
	// costs microseconds more, and loops are several times slower. The time is checked in loops and host calls only, so
	// that a deep recursion can exceed it by many seconds, and Limits.Fuel, StartFuel, TableElements, Functions and
	// CodeBytes do not apply. Use it only for modules that you trust.
	UnmeteredContext Unmetered = "context"
)

func (u Unmetered) check() error {
	switch u {
	case "", UnmeteredRefuse, UnmeteredContext:
		return nil
	}
	return fmt.Errorf("unmetered is %q: it must be %q or %q", string(u), UnmeteredRefuse, UnmeteredContext)
}

// termination says what ends a call that does not return.
type termination int

const (
	byFuel termination = iota
	byContext
	byNothing // benchmarks only
)

// features returns the WebAssembly features that modules may use.
func (t termination) features() api.CoreFeatures {
	if t == byContext {
		return api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall | experimental.CoreFeaturesExtendedConst
	}
	return api.CoreFeaturesV2
}

// rewrite meters the module. For instances of single connections it also splits off what a clone must restore.
func rewrite(c Config, o meter.Options) (parts meter.Parts, ends termination, err error) {
	l := c.Limits
	o.ModuleBytes, o.Functions, o.CodeBytes = l.ModuleBytes, l.Functions, l.CodeBytes
	o.MemoryPages, o.TableElements = l.MemoryPages, l.TableElements
	switch {
	case c.noMetering:
		return meter.Parts{Module: c.Module, Whole: "it is not metered"}, byNothing, nil
	case c.Isolation == IsolationConnection:
		parts, err = meter.Split(c.Module, o)
	default:
		parts, err = meter.Rewrite(c.Module, o)
		parts.Whole = "instances are shared"
	}
	if err != nil && c.Unmetered == UnmeteredContext {
		module, broken := meter.Check(c.Module, meter.Options{ModuleBytes: l.ModuleBytes, Offsets: o.Offsets})
		if broken != nil {
			return parts, byFuel, broken
		}
		return meter.Parts{Module: module, Whole: "it is not metered"}, byContext, err
	}
	return parts, byFuel, err
}

// callContext returns the context for a call of the guest, whose budget is already set. The caller must call done on
// the same goroutine.
func (in *instance) callContext() (ctx context.Context, done func()) {
	if in.engine.program.ends != byContext {
		return in.ctx, func() {}
	}
	clock := cpuclock.Start(in.ctx, in.timeAllowed())
	in.budget.clock = clock
	return clock, func() {
		clock.Stop()
		in.budget.clock = nil
	}
}

// timeAllowed returns the time that an event or a step of the start may take if the guest is not metered.
func (in *instance) timeAllowed() time.Duration {
	if in.budget.starting {
		return in.limits.StartTime
	}
	return in.limits.WallTime
}

// invoke calls an export. Its parameters and results are on the instance's stack.
func (in *instance) invoke(f api.Function) error {
	if in.engine.program.ends != byContext {
		return f.CallWithStack(in.ctx, in.stack[:])
	}
	ctx, done := in.callContext()
	defer done()
	return f.CallWithStack(ctx, in.stack[:])
}
