package target

import (
	"context"
	"errors"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// The pause before an event is tried again: it doubles, and half of it is chance so that devices do not come all at once.
const (
	FirstPause   = 50 * time.Millisecond
	LongestPause = 2 * time.Second
)

var ErrClosing = &gateway.HandlerError{
	Reason: gateway.ReasonHandlerUnavailable, Err: errors.New("the connection closed while its event waited for the handler"),
}

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

// Bounds of the ends of connections that wait for a handler, in every dialect.
const (
	MaxPendingCloses   = 10_000
	MaxPendingCloseAge = 5 * time.Minute
	CloseGrace         = 2 * time.Second // when the client is closed
)

// Why a farewell was given up.
const (
	UndeliveredFull     = "full"
	UndeliveredOld      = "old"
	UndeliveredRefused  = "refused"
	UndeliveredShutdown = "shutdown"
)
