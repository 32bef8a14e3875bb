package remote

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
	defaultHoldTimeout = 30 * time.Second
	longestRetry       = 5 * time.Second
	moveAfter          = 3 * time.Second // a process that restarts at its address is back by then, as a rule
	neverMove          = -1
)

func (o OnFailure) check() error {
	switch o {
	case OnFailureClose, OnFailureRetry, OnFailureHold:
		return nil
	}
	return fmt.Errorf("on failure %q must be %q, %q or %q", string(o), string(OnFailureClose), string(OnFailureRetry), string(OnFailureHold))
}

// patience is for how long an event is tried again.
func (o OnFailure) patience(holdTimeout time.Duration) time.Duration {
	if o == OnFailureRetry {
		return min(longestRetry, holdTimeout)
	}
	return holdTimeout
}

// moves is after what time a connection leaves a backend that is lost.
func (o OnFailure) moves() time.Duration {
	if o == OnFailureHold {
		return moveAfter
	}
	return neverMove
}

// again reports whether an event that failed with err is to be tried again.
func (o OnFailure) again(err error) bool {
	switch o {
	case OnFailureRetry:
		return unsent(err) && unreachable(err)
	case OnFailureHold:
		return unreachable(err)
	}
	return false
}

// unreachable reports whether an event failed because the handler could not be reached or was lost before it answered. Everything else is an answer,
// and would be the same the next time: UNIMPLEMENTED, INVALID_ARGUMENT, PERMISSION_DENIED, what an exception in the handler becomes.
func unreachable(err error) bool {
	var h *gateway.HandlerError
	return errors.As(err, &h) && h.Reason.Is(gateway.ReasonHandlerUnavailable) || codeOf(err) == codes.Canceled // servers that stop cancel their calls
}

func unsent(err error) bool {
	var c *callError
	return errors.As(err, &c) && c.unsent
}

func codeOf(err error) codes.Code {
	var c *callError
	if errors.As(err, &c) {
		return c.code
	}
	return codes.OK
}
