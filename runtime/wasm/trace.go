package wasm

import (
	"errors"
	"strings"

	"github.com/exgate/exgate/internal/meter"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/wasm/internal/stack"
)

// Trace is the stack of a guest when a call of it ended early, innermost function first. As text, it has a line for
// each function, with file and line where the module has debug information.
type Trace = stack.Trace

// TraceOf returns the guest's stack from an error of an engine or of a handler, or nil if it has none.
func TraceOf(err error) Trace {
	if t, ok := errors.AsType[*tracedError](err); ok {
		return t.trace
	}
	return nil
}

// tracedError is why a call of a guest ended early, with its stack.
type tracedError struct {
	error

	trace Trace
}

func (t *tracedError) Unwrap() error { return t.error }

// withTrace adds the stack that err has, the error of a call, to the fault that it is.
func (in *instance) withTrace(fault *gateway.HandlerError, err error) *gateway.HandlerError {
	trace := in.engine.program.trace(err)
	if p := in.output.panicked; p != nil && fault.Reason.Is(gateway.ReasonGuestExit) {
		trace = stack.OfGo(p.text)
	} else if p != nil && len(trace) > 0 && strings.HasPrefix(trace[0].Function, "runtime.") {
		trace = stack.OfGo(p.text)
		fault = handlerError(fault.Reason, "%w%s", fault.Err, p.because())
	}
	if trace == nil {
		return fault
	}
	return &gateway.HandlerError{Reason: fault.Reason, Err: &tracedError{fault.Err, trace}}
}

// trace returns the stack in the error of a call.
func (p *program) trace(err error) Trace {
	return p.symbols.Frames(err.Error(), p.parts.Offsets.Original)
}

// symbolsOf returns the symbols of a module, and sets whether it is compiled with what traces need to have lines.
func symbolsOf(module []byte, o *meter.Options) *stack.Symbols {
	s := stack.New(module)
	o.Offsets = s.Lined()
	return s
}
