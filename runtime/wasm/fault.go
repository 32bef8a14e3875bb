package wasm

import (
	"errors"
	"fmt"
	"strings"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/tetratelabs/wazero/sys"
)

const (
	maxErrorText  = 2048
	maxReasonText = 256
)

// fault names why a guest's call ended early.
func (in *instance) fault(err error) *gateway.HandlerError {
	var exit *sys.ExitError
	var known *gateway.HandlerError
	switch {
	case errors.As(err, &known):
		return known
	case in.budget.broken != nil:
		return in.budget.broken
	case errors.As(err, &exit):
		return &gateway.HandlerError{Reason: gateway.ReasonGuestExit, Err: fmt.Errorf("the guest exited with code %d", exit.ExitCode())}
	case in.fuel != nil && int64(in.fuel.Get()) < 0:
		return &gateway.HandlerError{Reason: gateway.ReasonGuestOutOfFuel, Err: errors.New("the event used more than the limit fuel allows")}
	case in.refused != nil && in.refused.Get() != 0:
		err = fmt.Errorf("the guest asked for more than %d pages of memory (limit memory_pages) and failed: %s", in.limits.MemoryPages, firstLine(err))
		return &gateway.HandlerError{Reason: gateway.ReasonGuestMemory, Err: err}
	}
	return &gateway.HandlerError{Reason: gateway.ReasonGuestTrap, Err: errors.New(firstLine(err))}
}

// firstLine is an error without its stack trace: function names are the guest's choice.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return bounded(line, maxReasonText)
}

// logEnd tells the operator that the instance is gone. One that many share names the connection whose event it was.
func (in *instance) logEnd(c *connection, fault *gateway.HandlerError, err error) {
	attrs := []any{in.output.whose, "reason", fault.Reason.Name}
	if in.shard != nil {
		attrs = append(attrs, "connections", len(in.connections), "conn", c.adapter.ID())
	}
	in.engine.log.Error("guest instance ended", append(attrs, "error", bounded(err.Error(), maxErrorText))...)
}

// kill ends the instance because of err, in the event of connection c. It returns what c closes with.
func (in *instance) kill(c *connection, err error) error {
	fault := in.fault(err)
	in.dead = fault
	in.engine.metrics.died(fault.Reason.Name)
	in.engine.stats.faults.Add(1)
	in.logEnd(c, fault, err)
	orphans := make([]*connection, 0, len(in.connections))
	for _, other := range in.connections {
		if other != c {
			orphans = append(orphans, other)
		}
	}
	in.release()
	if in.shard != nil {
		in.shard.lost(orphans)
	}
	return fault
}
