package target

import (
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/backend"
	"github.com/exgate/exgate/runtime/remote/internal/convert"
)

// Error says why a handler did not take an event. A [gateway.HandlerError] carries it.
type Error struct {
	What   string
	Code   codes.Code
	Text   string
	Unsent bool // the event certainly did not reach the handler
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v: %s", e.What, e.Code, e.Text) }

// Failed counts and logs that method could not be called at a backend, or at none, and gives it its close reason. unsent says that the event
// certainly did not reach the handler.
func (t *Target) Failed(at *backend.Backend, method string, err error, unsent bool) error {
	return t.FailedTimes(1, at, method, err, unsent || IsUnprocessed(err))
}

// FailedTimes is failed for n connections that fail of one cause.
func (t *Target) FailedTimes(n int, at *backend.Backend, method string, err error, unsent bool) error {
	failure := t.Report(at, method, err, unsent)
	t.Metrics.Failures.WithLabelValues(t.Name, failure.Reason.Name).Add(float64(n))
	return failure
}

// Report logs a failure.
func (t *Target) Report(at *backend.Backend, method string, err error, unsent bool) *gateway.HandlerError {
	address := t.Address
	if at != nil {
		address = at.Addr()
	}
	s := status.Convert(err)
	reason := reasonFor(at, s.Code())
	failure := &Error{
		What: fmt.Sprintf("%s of handler %q at %s", method, t.Name, address), Code: s.Code(), Text: convert.Shorten(s.Message()), Unsent: unsent,
	}
	t.Warn(reason, failure, t.advice(s, reason))
	return &gateway.HandlerError{Reason: reason, Err: failure}
}

// reasonFor tells a handler that cannot be reached from one that is late and from one that answers with an error.
func reasonFor(at *backend.Backend, code codes.Code) gateway.CloseReason {
	switch {
	case code == codes.Unavailable, at == nil,
		code == codes.DeadlineExceeded && !at.Ready(),
		code == codes.Canceled && at.Closed():
		return gateway.ReasonHandlerUnavailable
	case code == codes.DeadlineExceeded:
		return gateway.ReasonHandlerTimeout
	default:
		return gateway.ReasonHandlerFailed
	}
}
