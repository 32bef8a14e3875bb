package target

import (
	"log/slog"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/backend"
)

// Target is one handler as each dialect sees it: where it is, how long it may take, and what happens when it fails.
type Target struct {
	Name          string
	Address       string // all of them, for errors
	Unimplemented string // what to check when the handler does not know a method
	MaxBatch      int
	MaxMessage    int           // bytes
	Timeout       time.Duration // of a callback
	OnFailure     OnFailure
	Patience      time.Duration // with an event that fails
	Pool          *backend.Pool
	Secure        bool // over TLS
	Metrics       *Metrics
	Log           *slog.Logger

	failures failureLog
}

// Warn logs that the handler failed, at most once in 10 s for each reason. check says what a person should check.
func (t *Target) Warn(reason gateway.CloseReason, err error, check string) {
	if suppressed, ok := t.failures.admit(reason.Code); ok {
		t.Log.Warn("handler call failed", "reason", reason.Name, "error", err, "check", check, "suppressed", suppressed)
	}
}

// How a lost handler is reached again.
const (
	ConnectTimeout = 3 * time.Second // then callbacks that wait for the connection fail with handler_unavailable
	FirstRetry     = 100 * time.Millisecond
	SlowestRetry   = 3 * time.Second
)
