package handlertest

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// logBuffer keeps what is logged, from any goroutine.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// watchLog takes everything that is logged until the test ends, at every level, and fails it where a password is in there. Factories are to use
// the default logger.
func watchLog(t *testing.T) {
	before := slog.Default()
	log := new(logBuffer)
	slog.SetDefault(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() {
		slog.SetDefault(before)
		if all := log.String(); strings.Contains(all, Secret) {
			t.Errorf("a password was logged:\n%s", all)
		}
		if t.Failed() {
			t.Log(log.String())
		}
	})
}
