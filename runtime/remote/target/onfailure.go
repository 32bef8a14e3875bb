package target

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/exgate/exgate/runtime/gateway"
)

// OnFailure says what happens to a device whose handler cannot accept an event.
type OnFailure string

const (
	// OnFailureClose closes the device at the first failed callback, as EMQX does.
	OnFailureClose OnFailure = "close"
	// OnFailureRetry retries events that certainly did not reach the handler, at the same backend, for 5 s or
	// HoldTimeout if that is shorter. No event is delivered twice: one that may have reached the handler closes the
	// device. In sessions this excludes events on a stream that the handler ended itself, which are sent again.
	OnFailureRetry OnFailure = "retry"
	// OnFailureHold retries, for HoldTimeout, every event that failed because the handler was unreachable or lost
	// before it answered. No event is lost, but one may be delivered twice. A device whose backend has been lost for 3
	// s, or is no longer listed, moves to another backend.
	OnFailureHold OnFailure = "hold"
)

// MoveAfter is how long a backend must be lost before its connections move to another one. A process that restarts at
// its address is usually back by then.
const MoveAfter = 3 * time.Second

const (
	longestRetry = 5 * time.Second
	neverMove    = -1
)

// Check returns an error if o is not one of the policies.
func (o OnFailure) Check() error {
	switch o {
	case OnFailureClose, OnFailureRetry, OnFailureHold:
		return nil
	}
	return fmt.Errorf("on failure %q must be %q, %q or %q", string(o), string(OnFailureClose), string(OnFailureRetry),
		string(OnFailureHold))
}

// Patience returns how long to retry an event.
func (o OnFailure) Patience(holdTimeout time.Duration) time.Duration {
	if o == OnFailureRetry {
		return min(longestRetry, holdTimeout)
	}
	return holdTimeout
}

// MoveAfter returns how long a backend must be lost before its connections move; it is negative if they never do.
func (o OnFailure) MoveAfter() time.Duration {
	if o == OnFailureHold {
		return MoveAfter
	}
	return neverMove
}

// Retries reports whether to retry an event that failed with err.
func (o OnFailure) Retries(err error) bool {
	switch o {
	case OnFailureRetry:
		return Unsent(err) && Unreachable(err)
	case OnFailureHold:
		return Unreachable(err)
	}
	return false
}

// Unreachable reports whether an event failed because the handler could not be reached or was lost before it answered.
// Any other error is an answer, and would be the same the next time: UNIMPLEMENTED, INVALID_ARGUMENT,
// PERMISSION_DENIED, or what an exception in the handler becomes.
func Unreachable(err error) bool {
	var h *gateway.HandlerError
	// servers that stop cancel their calls
	return errors.As(err, &h) && h.Reason.Is(gateway.ReasonHandlerUnavailable) || CodeOf(err) == codes.Canceled
}

// Unsent reports whether the event that failed with err certainly did not reach the handler.
func Unsent(err error) bool {
	var c *Error
	return errors.As(err, &c) && c.Unsent
}

// CodeOf returns the gRPC code of an event that failed with err, or OK if err is not a failure of the handler.
func CodeOf(err error) codes.Code {
	var c *Error
	if errors.As(err, &c) {
		return c.Code
	}
	return codes.OK
}
