package listener

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/exgate/exgate/internal/lograte"
)

// openingError says at what a connection failed before it was one, and which of the counted results that was.
type openingError struct {
	doing  string // TLS handshake, DTLS handshake, PROXY header
	result string
	err    error
}

func (e *openingError) Error() string { return e.doing + ": " + e.err.Error() }
func (e *openingError) Unwrap() error { return e.err }

// What is not worth a warning: who only looks whether somebody listens, and what has lines of its own.
var (
	errLeft    = errors.New("the device left before it said anything")
	errRefused = errors.New("the device is refused")
	errBusy    = errors.New("too many connections are being opened")
)

// openingLog writes about connections that failed before they were one, for each result at most one line in lograte.DefaultInterval.
type openingLog struct {
	log *slog.Logger

	mu       sync.Mutex // guards limiters
	limiters map[string]*lograte.Limiter
}

func newOpeningLog(log *slog.Logger) *openingLog {
	return &openingLog{log: log, limiters: make(map[string]*lograte.Limiter)}
}

// failed logs err, about a connection from peer. peer is anything that prints as an address.
func (l *openingLog) failed(peer any, err error) {
	var what *openingError
	if !errors.As(err, &what) || errors.Is(err, errLeft) || errors.Is(err, errRefused) {
		l.log.Debug("connection ended before it was established", "peer", peer, "error", err)
		return
	}
	if suppressed, ok := l.limiter(what.doing + what.result).Allow(time.Now()); ok {
		l.log.Warn("connection ended before it was established", "peer", peer, "during", what.doing, "result", what.result, "error", what.err,
			"suppressed", suppressed)
	}
}

func (l *openingLog) limiter(kind string) *lograte.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.limiters[kind]
	if limiter == nil {
		limiter = new(lograte.Limiter)
		l.limiters[kind] = limiter
	}
	return limiter
}
