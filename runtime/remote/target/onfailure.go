package target

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/exgate/exgate/runtime/gateway"
)

// OnFailure says what becomes of a device whose handler cannot take an event.
type OnFailure string

const (
	// OnFailureClose closes the device at the first failed callback, as EMQX does.
	OnFailureClose OnFailure = "close"
	// OnFailureRetry tries again what certainly has not reached the handler, for 5 s or HoldTimeout if that is shorter, at the same backend: no
	// event is delivered twice. An event of which that is not certain closes the device.
	OnFailureRetry OnFailure = "retry"
	// OnFailureHold tries again, for HoldTimeout, whatever failed because the handler could not be reached or was lost before it answered: an event
	// may be delivered twice, but none is lost. A device whose backend has been lost for 3 s, or is no longer listed, moves to another.
	OnFailureHold OnFailure = "hold"
)

const (
	longestRetry = 5 * time.Second
	MoveAfter    = 3 * time.Second // a process that restarts at its address is back by then, as a rule
	neverMove    = -1
)

func (o OnFailure) Check() error {
	switch o {
	case OnFailureClose, OnFailureRetry, OnFailureHold:
		return nil
	}
	return fmt.Errorf("on failure %q must be %q, %q or %q", string(o), string(OnFailureClose), string(OnFailureRetry), string(OnFailureHold))
}

// Patience is for how long an event is tried again.
func (o OnFailure) Patience(holdTimeout time.Duration) time.Duration {
	if o == OnFailureRetry {
		return min(longestRetry, holdTimeout)
	}
	return holdTimeout
}

// MoveAfter is after what time a connection leaves a backend that is lost.
func (o OnFailure) MoveAfter() time.Duration {
	if o == OnFailureHold {
		return MoveAfter
	}
	return neverMove
}

// Retries reports whether an event that failed with err is to be tried again.
func (o OnFailure) Retries(err error) bool {
	switch o {
	case OnFailureRetry:
		return Unsent(err) && Unreachable(err)
	case OnFailureHold:
		return Unreachable(err)
	}
	return false
}

// Unreachable reports whether an event failed because the handler could not be reached or was lost before it answered. Everything else is an answer,
// and would be the same the next time: UNIMPLEMENTED, INVALID_ARGUMENT, PERMISSION_DENIED, what an exception in the handler becomes.
func Unreachable(err error) bool {
	var h *gateway.HandlerError
	return errors.As(err, &h) && h.Reason.Is(gateway.ReasonHandlerUnavailable) || CodeOf(err) == codes.Canceled // servers that stop cancel their calls
}

func Unsent(err error) bool {
	var c *Error
	return errors.As(err, &c) && c.Unsent
}

func CodeOf(err error) codes.Code {
	var c *Error
	if errors.As(err, &c) {
		return c.Code
	}
	return codes.OK
}
