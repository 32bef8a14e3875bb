package main

import (
	"log/slog"
	"os"

	"golang.org/x/term"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
)

// newLogger makes the logger of a checked configuration.
func newLogger(cfg config.Log, out *os.File) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Level))
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" || cfg.Format == "auto" && !term.IsTerminal(int(out.Fd())) {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}
