package target

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/backend"
	"github.com/exgate/exgate/runtime/remote/internal/convert"
)

// Error says why a handler did not accept an event. It is the Err of a [gateway.HandlerError].
type Error struct {
	What   string
	Code   codes.Code
	Text   string
	Unsent bool // the event certainly did not reach the handler
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v: %s", e.What, e.Code, e.Text) }

// Failed counts and logs that method failed at a backend, or that there was none to call, and returns the error that
// closes the connection. unsent says that the event certainly did not reach the handler.
func (t *Target) Failed(at *backend.Backend, method string, err error, unsent bool) error {
	return t.FailedTimes(1, at, method, err, unsent || IsUnprocessed(err))
}

// FailedTimes is Failed for n connections that fail of the same cause.
func (t *Target) FailedTimes(n int, at *backend.Backend, method string, err error, unsent bool) error {
	failure := t.Report(at, method, err, unsent)
	t.Metrics.Failures.WithLabelValues(t.Name, failure.Reason.Name).Add(float64(n))
	return failure
}

// Report logs a failure without counting it.
func (t *Target) Report(at *backend.Backend, method string, err error, unsent bool) *gateway.HandlerError {
	address := t.Address
	if at != nil {
		address = at.Addr()
	}
	s := status.Convert(err)
	reason := reasonFor(at, s.Code())
	failure := &Error{
		What: fmt.Sprintf("%s of handler %q at %s", method, t.Name, address), Code: s.Code(),
		Text: convert.Shorten(s.Message()), Unsent: unsent,
	}
	t.Warn(reason, failure, t.advice(at, s, reason, IsUnprocessed(err)))
	return &gateway.HandlerError{Reason: reason, Err: failure}
}

// reasonFor distinguishes a handler that is unreachable, late, or answers with an error.
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

// failureLogInterval is the minimum time between two log lines of one reason.
const failureLogInterval = 10 * time.Second

// failureLog limits the log lines of each reason: a handler that is down fails every device.
type failureLog struct {
	mu   sync.Mutex // guards seen
	seen map[uint16]*seenFailure
}

type seenFailure struct {
	logged     time.Time
	suppressed int
}

// admit reports whether to log now, and how many failures it suppressed since the last line.
func (l *failureLog) admit(code uint16) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = make(map[uint16]*seenFailure)
	}
	s := l.seen[code]
	if s == nil {
		l.seen[code] = &seenFailure{logged: time.Now()}
		return 0, true
	}
	if time.Since(s.logged) < failureLogInterval {
		s.suppressed++
		return 0, false
	}
	suppressed = s.suppressed
	s.logged, s.suppressed = time.Now(), 0
	return suppressed, true
}

// advice returns what to check. refused says that the handler's server did not begin the call.
func (t *Target) advice(at *backend.Backend, s *status.Status, reason gateway.CloseReason, refused bool) string {
	connected := at != nil && at.Ready() && !connectionLost(s.Message())
	switch {
	case connected && refused:
		return fmt.Sprintf("how many concurrent streams the handler allows: it refused this call for %v", t.Timeout)
	case connected && s.Code() == codes.Unavailable:
		return "the handler's own log: the gateway is connected to it"
	case reason.Is(gateway.ReasonHandlerUnavailable):
		return unreachableAdvice(s.Message(), t.Secure)
	case reason.Is(gateway.ReasonHandlerTimeout):
		return fmt.Sprintf("that the handler answers each callback within %v, or raise its timeout", t.Timeout)
	case s.Code() == codes.Unimplemented:
		return t.Unimplemented
	case s.Code() == codes.ResourceExhausted:
		return "max_message_size, and the handler's own limit for the size of a received message"
	default:
		return "the handler's own log"
	}
}

// connectTrouble maps texts of gRPC and crypto/tls to what to check; the first match wins.
var connectTrouble = []struct {
	said   string
	secure bool // only with TLS
	check  string
}{
	{
		"first record does not look like a TLS handshake", true,
		"the handler speaks plain text: remove tls, or write its address as http://",
	},
	{"signed by unknown authority", true, "that tls.ca is the authority of the handler's certificate"},
	{"certificate is valid for", true, "that tls.server_name is a name in the handler's certificate"},
	{"IP SANs", true, "that tls.server_name is a name in the handler's certificate"},
	{"certificate is not valid for any names", true, "that tls.server_name is a name in the handler's certificate"},
	{"certificate has expired", true, "the handler's certificate, and the clock of this machine"},
	{"certificate", true, "that tls.cert and tls.key are a certificate that the handler trusts"},
	{"connection refused", false, "that the handler runs and listens on this address"},
	{"looking up", false, "that the name of the handler is right and that the resolver of this machine knows it"},
	{"connecting took too long", false, "that the handler runs and that a firewall lets the gateway through"},
}

// connectionTexts are parts of gRPC's messages about calls whose connection was lost or not made. The handler's server
// sends none of them.
var connectionTexts = []string{
	"connection error", "error reading from server", "connection is closing", "transport is closing", "draining",
	"closing transport", "connecting",
}

// connectionLost reports whether a failure with this text is one of the connection. The backend may still count as
// connected when the call fails.
func connectionLost(text string) bool {
	return slices.ContainsFunc(connectionTexts, func(part string) bool { return strings.Contains(text, part) })
}

// unreachableAdvice returns what to check about a handler that cannot be reached.
func unreachableAdvice(said string, secure bool) string {
	for _, trouble := range connectTrouble {
		if strings.Contains(said, trouble.said) && (secure || !trouble.secure) {
			return trouble.check
		}
	}
	if secure {
		return "that the handler runs and listens on this address; if it requires client certificates, that it " +
			"trusts tls.cert and tls.key"
	}
	return "that the handler runs and listens on this address; if it has TLS, set tls or write its address as https://"
}
