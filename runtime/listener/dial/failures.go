package dial

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/exgate/exgate/internal/lograte"
)

var (
	errLimit = errors.New("a limit of connections or file descriptors is reached")
	errShort = errors.New("the connection ended within a second")
)

// handshakeError is a failed TLS handshake.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "TLS handshake: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// handlerError is a connection that the gateway refused.
type handlerError struct{ err error }

func (e *handlerError) Error() string { return e.err.Error() }
func (e *handlerError) Unwrap() error { return e.err }

// causeOf names the cause of a failure as exgate_dials_total does.
func causeOf(err error) string {
	var forbidden *forbiddenError
	var handler *handlerError
	var handshake *handshakeError
	var dns *net.DNSError
	switch {
	case errors.Is(err, errLimit):
		return dialLimit
	case errors.Is(err, errShort):
		return dialShort
	case errors.As(err, &handler):
		return dialHandler
	case errors.As(err, &forbidden):
		return dialForbidden
	case errors.As(err, &dns):
		return dialDNS
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.Is(err, syscall.ETIMEDOUT):
		return dialTimeout
	case errors.As(err, &handshake):
		return dialTLS
	case errors.Is(err, syscall.ECONNREFUSED):
		return dialRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.ENETDOWN):
		return dialUnreachable
	}
	return dialFailed
}

// failureLog has a limiter for each cause. The zero value is ready to use.
type failureLog struct {
	mu       sync.Mutex // guards limiters
	limiters map[string]*lograte.Limiter
}

func (f *failureLog) of(cause string) *lograte.Limiter {
	f.mu.Lock()
	defer f.mu.Unlock()
	limiter := f.limiters[cause]
	if limiter == nil {
		limiter = new(lograte.Limiter)
		if f.limiters == nil {
			f.limiters = make(map[string]*lograte.Limiter)
		}
		f.limiters[cause] = limiter
	}
	return limiter
}

// maxErrorText bounds the text of an error in the log, in bytes: a certificate may have many names.
const maxErrorText = 300

// failed counts a failure and logs it, at most one line of a cause in [lograte.Interval]. An attempt that ended because
// the target was removed has not failed.
func (d *dialer) failed(err error) {
	if d.ctx.Err() != nil {
		return
	}
	l, cause := d.listener, causeOf(err)
	l.metrics.dials[cause].Inc()
	suppressed, ok := l.lines.of(cause).Allow(time.Now())
	if !ok {
		return
	}
	text := err.Error()
	l.log.Warn("cannot keep a connection to a target; retrying", "target", d.Name, "address", d.Address, "cause", cause,
		"error", text[:min(len(text), maxErrorText)], "suppressed", suppressed)
}
