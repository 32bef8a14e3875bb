package target

import (
	"log/slog"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/backend"
)

// Target is one handler as every dialect sees it: its backends, its limits, and the policy for its failures.
type Target struct {
	Name          string
	Address       string // every address, for errors
	Unimplemented string // what to check if the handler lacks a method
	MaxBatch      int
	MaxMessage    int           // bytes
	Timeout       time.Duration // of a callback
	OnFailure     OnFailure
	Patience      time.Duration // how long to retry an event
	Pool          *backend.Pool
	Secure        bool // TLS is used
	Metrics       *Metrics
	Log           *slog.Logger

	failures failureLog
}

// Warn logs a failure of the handler, at most once in 10 s for each reason. check is what to check.
func (t *Target) Warn(reason gateway.CloseReason, err error, check string) {
	if suppressed, ok := t.failures.admit(reason.Code); ok {
		t.Log.Warn("handler call failed", "reason", reason.Name, "error", err, "check", check, "suppressed", suppressed)
	}
}
