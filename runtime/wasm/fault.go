package wasm

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/internal/meter"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/wasm/internal/suspects"
	"github.com/tetratelabs/wazero/sys"
)

const (
	maxErrorText  = 2048
	maxReasonText = 256
)

// fault returns why a guest's call ended early, and counts the limit that it reached, if any.
func (in *instance) fault(err error) *gateway.HandlerError {
	if known, ok := errors.AsType[*gateway.HandlerError](err); ok && in.budget.exceeded == nil {
		return known
	}
	fault, limit := in.diagnose(err)
	fault = in.withTrace(fault, err)
	if limit != "" {
		in.engine.metrics.hit(limit)
		in.budget.limit = "" // count it once, even if fault is called again
	}
	return fault
}

func (in *instance) diagnose(err error) (fault *gateway.HandlerError, limit string) {
	refused := uint64(0)
	if in.refused != nil {
		refused = in.refused.Get()
	}
	exit, exited := errors.AsType[*sys.ExitError](err)
	switch b := &in.budget; {
	case b.exceeded != nil:
		return b.exceeded, b.limit
	case exited && in.fuel == nil && exit.ExitCode() == sys.ExitCodeDeadlineExceeded:
		return handlerError(gateway.ReasonGuestTime, "it took more than %v (limit %s)", in.timeAllowed(),
			b.timeLimit()), b.timeLimit()
	case exited:
		return handlerError(gateway.ReasonGuestExit, "the guest exited with code %d%s", exit.ExitCode(),
			in.output.panicked.because()), ""
	case in.fuel != nil && int64(in.fuel.Get()) < 0:
		return handlerError(gateway.ReasonGuestOutOfFuel, "it used more than the limit %s allows",
			b.fuelLimit()), b.fuelLimit()
	case refused&meter.RefusedMemory != 0:
		return handlerError(gateway.ReasonGuestMemory,
			"the guest asked for more than %d pages of memory (limit memory_pages) and failed: %s",
			in.limits.MemoryPages, firstLine(err)), limitMemoryPages
	case refused&meter.RefusedTable != 0:
		return handlerError(gateway.ReasonGuestMemory,
			"the guest asked for more than %d elements of a table (limit table_elements) and failed: %s",
			in.limits.TableElements, firstLine(err)), limitTableElements
	}
	if said := in.output.failure; said != "" {
		return handlerError(gateway.ReasonGuestTrap, "%s; its last error: %s", firstLine(err), said), ""
	}
	return handlerError(gateway.ReasonGuestTrap, "%s", firstLine(err)), ""
}

func handlerError(reason gateway.CloseReason, format string, args ...any) *gateway.HandlerError {
	return &gateway.HandlerError{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// firstLine returns an error without its stack trace, whose function names the guest chooses.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return bounded(line, maxReasonText)
}

// logEnd logs that the instance has ended, and during whose event.
func (in *instance) logEnd(c *connection, fault *gateway.HandlerError, err error) {
	if !in.shared() && !in.engine.endLines.Allow() {
		in.engine.metrics.drop(droppedEndLine)
		return
	}
	attrs := []any{in.output.label, "reason", fault.Reason.Name, "connections", len(in.connections)}
	if in.engine.isolated == nil {
		attrs = append(attrs, "conn", c.adapter.ID())
	}
	if known, ok := c.adapter.(interface {
		Client() (gateway.ClientInfo, bool)
	}); ok {
		if client, ok := known.Client(); ok {
			attrs = append(attrs, "client_id", bounded(client.ClientID, maxReasonText))
		}
	}
	attrs = append(attrs, "source", c.source.String(), "error", faultText(fault, err))
	if trace := TraceOf(fault); trace != nil {
		attrs = append(attrs, "stack", trace.String())
	}
	attrs = append(attrs, "see", "docs/close-reasons.md")
	in.engine.log.Error("guest instance ended", attrs...)
}

// faultText returns the text of a fault. If the host panicked, it is the whole error of the call, with the stack of the
// host.
func faultText(fault *gateway.HandlerError, err error) string {
	if text := err.Error(); strings.Contains(text, "Go runtime stack trace:") {
		return bounded(text, maxErrorText)
	}
	return bounded(fault.Err.Error(), maxErrorText)
}

// kill ends the instance because of err, in the event of connection c. It returns the error to close c with.
func (in *instance) kill(c *connection, err error) error {
	fault := in.fault(err)
	in.dead = fault
	in.engine.metrics.died(fault.Reason.Name)
	in.engine.stats.faults.Add(1)
	in.logEnd(c, fault, err)
	if in.fuel != nil {
		in.engine.peaks.event(in.spent(), in.memory)
	}
	others := make([]*connection, 0, len(in.connections))
	for _, other := range in.connections {
		if other != c {
			others = append(others, other)
		}
	}
	in.release()
	in.suspect(c)
	in.pool.lost(in, others)
	return fault
}

// fail returns why c is closed after an event that the guest reports as failed. The instance goes on.
func (in *instance) fail(c *connection, kind hostabi.Kind) error {
	c.closing = true
	in.engine.stats.faults.Add(1)
	why := cmp.Or(in.output.failure, fmt.Sprintf("the guest failed at a %v event", kind))
	return handlerError(gateway.ReasonGuestFailed, "%s", why)
}

// suspect records whose event ended the instance, before another instance replaces it.
func (in *instance) suspect(c *connection) {
	e := in.engine
	if e.isolated != nil || !e.suspects.Fault(c.source, in.shared(), time.Now()) {
		return
	}
	e.log.Warn("guest instances keep failing; new connections get separate instances",
		"for", suspects.AlarmFor.String(), "see", "docs/close-reasons.md")
}
