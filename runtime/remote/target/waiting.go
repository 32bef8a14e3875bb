package target

import (
	"context"
	"errors"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// Reconnecting to a lost handler.
const (
	ConnectTimeout = 3 * time.Second // then callbacks that wait for the connection fail with handler_unavailable
	FirstRetry     = 100 * time.Millisecond
	SlowestRetry   = 3 * time.Second
)

// The pause before an event is retried. It doubles each time and is jittered.
const (
	FirstPause   = 50 * time.Millisecond
	LongestPause = 2 * time.Second
)

// ErrClosing fails an event that waits for the handler when its connection closes.
var ErrClosing = &gateway.HandlerError{
	Reason: gateway.ReasonHandlerUnavailable,
	Err:    errors.New("the connection closed while its event waited for the handler"),
}

// WaitContext returns a context for an event that waits for its handler. It ends after limit, unless that is 0, or when
// the connection closes. If the connection is closing already, ctx is nil. Meanwhile the socket is not read; call end
// to resume.
func WaitContext(conn gateway.ConnectionAdapter, limit time.Duration) (ctx context.Context, end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	release := conn.Hold(cancel)
	if release == nil {
		cancel()
		return nil, nil
	}
	limited, stop := ctx, context.CancelFunc(func() {})
	if limit > 0 {
		limited, stop = context.WithTimeout(ctx, limit)
	}
	return limited, func() {
		release()
		stop()
		cancel()
	}
}

// Limits on the closes of connections that wait for a handler, in every dialect.
const (
	MaxPendingCloses   = 10_000
	MaxPendingCloseAge = 5 * time.Minute
	CloseGrace         = 2 * time.Second // how long to wait when the client is closed
)

// Reasons for giving up a pending close, the values of the label "why" of exgate_handler_closed_undelivered_total.
const (
	UndeliveredFull     = "full"
	UndeliveredOld      = "old"
	UndeliveredRefused  = "refused"
	UndeliveredShutdown = "shutdown"
)
