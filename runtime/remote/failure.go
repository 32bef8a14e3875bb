package remote

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/backend"
)

// maxErrorText bounds what of a handler's error text goes into an error of ours.
const maxErrorText = 256

// callError says why a handler did not take an event. A [gateway.HandlerError] carries it.
type callError struct {
	what   string
	code   codes.Code
	text   string
	unsent bool // the event certainly did not reach the handler
}

func (e *callError) Error() string { return fmt.Sprintf("%s: %v: %s", e.what, e.code, e.text) }

// failed counts and logs that method could not be called at a backend, or at none, and gives it its close reason. unsent says that the event
// certainly did not reach the handler.
func (c *Client) failed(at *backend.Backend, method string, err error, unsent bool) error {
	return c.failedTimes(1, at, method, err, unsent || isUnprocessed(err))
}

// failedTimes is failed for n connections that fail of one cause.
func (c *Client) failedTimes(n int, at *backend.Backend, method string, err error, unsent bool) error {
	failure := c.report(at, method, err, unsent)
	c.metrics.failures.WithLabelValues(c.name, failure.Reason.Name).Add(float64(n))
	return failure
}

// report logs a failure.
func (c *Client) report(at *backend.Backend, method string, err error, unsent bool) *gateway.HandlerError {
	address := c.address
	if at != nil {
		address = at.Addr()
	}
	s := status.Convert(err)
	reason := reasonFor(at, s.Code())
	failure := &callError{
		what: fmt.Sprintf("%s of handler %q at %s", method, c.name, address), code: s.Code(), text: shorten(s.Message()), unsent: unsent,
	}
	c.failures.report(reason, failure, c.advice(s, reason))
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

func shorten(s string) string {
	if len(s) > maxErrorText {
		s = s[:maxErrorText] + "..."
	}
	return strings.ToValidUTF8(s, "")
}
