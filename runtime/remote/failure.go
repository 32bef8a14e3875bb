package remote

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/runtime/gateway"
)

// maxErrorText bounds what of a handler's error text goes into an error of ours.
const maxErrorText = 256

// failed counts and logs a failed callback and gives it its close reason.
func (b *callback) failed(err error) error {
	s := status.Convert(err)
	reason := b.reason(s.Code())
	failure := fmt.Errorf("%s of handler %q at %s: %v: %s", b.method, b.client.name, b.client.address, s.Code(), shorten(s.Message()))
	b.client.metrics.failures.WithLabelValues(b.client.name, reason.Name).Inc()
	b.client.failures.report(reason, failure, b.client.advice(s.Code(), reason))
	return &gateway.HandlerError{Reason: reason, Err: failure}
}

// reason tells a handler that cannot be reached from one that is late and from one that answers with an error.
func (b *callback) reason(code codes.Code) gateway.CloseReason {
	state := b.client.rpc.GetState()
	switch {
	case code == codes.Unavailable,
		code == codes.DeadlineExceeded && state != connectivity.Ready,
		code == codes.Canceled && state == connectivity.Shutdown:
		return gateway.ReasonHandlerUnavailable
	case code == codes.DeadlineExceeded:
		return gateway.ReasonHandlerTimeout
	default:
		return gateway.ReasonHandlerFailed
	}
}

// advice is what a person should check.
func (c *Client) advice(code codes.Code, reason gateway.CloseReason) string {
	switch {
	case reason.Is(gateway.ReasonHandlerUnavailable):
		return "that the handler runs, listens on this address and agrees with the gateway on TLS"
	case reason.Is(gateway.ReasonHandlerTimeout):
		return fmt.Sprintf("that the handler answers each callback within %v, or raise its timeout", c.timeout)
	case code == codes.Unimplemented:
		return "that the handler serves all methods of the configured dialect's service"
	case code == codes.ResourceExhausted:
		return "the handler's limit for the size of a received message"
	default:
		return "the handler's own log"
	}
}

func shorten(s string) string {
	if len(s) > maxErrorText {
		s = s[:maxErrorText] + "..."
	}
	return strings.ToValidUTF8(s, "")
}
