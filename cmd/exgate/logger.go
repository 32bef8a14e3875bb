package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
)

// newLogger makes the logger of a checked configuration, which logs what is at level or above.
func newLogger(cfg config.Log, level *slog.LevelVar, out *os.File) *slog.Logger {
	setLevel(level, cfg)
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: plainAttr}
	if cfg.Format == "json" || cfg.Format == "auto" && !term.IsTerminal(int(out.Fd())) {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}

func setLevel(level *slog.LevelVar, cfg config.Log) {
	var to slog.Level
	_ = to.UnmarshalText([]byte(cfg.Level))
	level.Set(to)
}

// longestValue bounds a value in a log line, in bytes. The longest values are stacks of panics.
const longestValue = 8 << 10

// plainAttr makes values from devices, handlers and brokers safe for terminals and log collectors.
func plainAttr(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value; v.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(plainText(v.String()))
	case slog.KindAny:
		if err, ok := v.Any().(error); ok {
			a.Value = slog.StringValue(plainText(err.Error()))
		}
	}
	return a
}

// plainText escapes characters that move a terminal's cursor, change its colors or reorder text, and shortens long
// text. It keeps line breaks and tabs, which the slog handlers escape.
func plainText(text string) string {
	if len(text) > longestValue {
		text = text[:longestValue] + "..."
	}
	if !strings.ContainsFunc(text, moves) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case moves(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func moves(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) && r != '\u00a0' }
