package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
)

// A value in a log line never starts another line, moves the cursor or makes the line too long.
func TestLogValuesAreHarmless(t *testing.T) {
	for _, value := range []string{
		"plain, \u00e4\u6f22", "a\nlevel=ERROR msg=forged", "\x1b[2J\x1b[31m", "\u009b31m", "\u202eevil", "a\x00b",
		"\xff\xfe", "\r overwritten", strings.Repeat("x", 100_000),
	} {
		for _, format := range []string{"text", "json"} {
			path := filepath.Join(t.TempDir(), "log")
			out, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			log := newLogger(config.Log{Level: "info", Format: format}, new(slog.LevelVar), out)
			log.Warn("refused", "client_id", value, "error", errors.New(value))
			if err := out.Close(); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			line, more, _ := strings.Cut(string(text), "\n")
			if more != "" || len(line) > 3*longestValue ||
				strings.ContainsFunc(line, func(r rune) bool { return moves(r) || r == '\t' }) {
				t.Errorf("%q in %s: %.200q", value[:min(len(value), 20)], format, text)
			}
		}
	}
}
