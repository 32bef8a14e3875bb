package admission

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/exgate/exgate/internal/lograte"
)

// OpeningError says at which stage a connection failed before it was established, and with which counted result.
type OpeningError struct {
	Stage  string // TLS handshake, DTLS handshake, PROXY header
	Result string
	Err    error
}

func (e *OpeningError) Error() string { return e.Stage + ": " + e.Err.Error() }
func (e *OpeningError) Unwrap() error { return e.Err }

// Reasons that are not worth a warning, or that are logged elsewhere.
var (
	ErrLeft    = errors.New("the device disconnected before it sent anything")
	ErrRefused = errors.New("connection refused")
	ErrBusy    = errors.New("too many connections are being opened")
)

// OpeningLog logs connections that failed before they were established, at most one line per result in
// lograte.Interval.
type OpeningLog struct {
	log *slog.Logger

	mu       sync.Mutex // guards limiters
	limiters map[string]*lograte.Limiter
}

// NewOpeningLog logs to log.
func NewOpeningLog(log *slog.Logger) *OpeningLog {
	return &OpeningLog{log: log, limiters: make(map[string]*lograte.Limiter)}
}

// Failed logs err for a connection from peer, which is anything that prints as an address.
func (l *OpeningLog) Failed(peer any, err error) {
	var what *OpeningError
	if !errors.As(err, &what) || errors.Is(err, ErrLeft) || errors.Is(err, ErrRefused) {
		l.log.Debug("connection ended before it was established", "peer", peer, "error", err)
		return
	}
	if suppressed, ok := l.limiter(what.Stage + what.Result).Allow(time.Now()); ok {
		l.log.Warn("connection ended before it was established", "peer", peer, "during", what.Stage, "result",
			what.Result, "error", what.Err,
			"suppressed", suppressed)
	}
}

func (l *OpeningLog) limiter(kind string) *lograte.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.limiters[kind]
	if limiter == nil {
		limiter = new(lograte.Limiter)
		l.limiters[kind] = limiter
	}
	return limiter
}
