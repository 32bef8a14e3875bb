package wasm

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/time/rate"
)

// maxLine is the longest line of a guest that is logged whole, in bytes.
const maxLine = 1024

// burstSeconds is the number of seconds of silence after which the burst is full.
const burstSeconds = 5

// guestLog logs what a guest logs and prints, bounded in rate and size. Guarded by the lock of its instance.
type guestLog struct {
	log        *slog.Logger
	label      slog.Attr
	metrics    *handlerMetrics
	lines      *rate.Limiter // shared by the engine's instances, but for those of shards
	suppressed int
	partial    [2][]byte // unfinished lines of standard output and standard error
	failure    string    // the last line of this event that was logged as an error
	panicked   *panicked // the guest's latest panic in Go; nil if there was none
}

// panicked is what Go's runtime prints when a program panics, up to a limit.
type panicked struct{ text []byte }

// maxPanic is the largest part of it that is kept, in bytes.
const maxPanic = 8 << 10

// because returns the first line.
func (p *panicked) because() string {
	if p == nil {
		return ""
	}
	line, _, _ := bytes.Cut(p.text, []byte("\n"))
	return ": " + bounded(string(line), maxReasonText)
}

// keepPanic keeps a line of standard error if it begins or continues a panic.
func (g *guestLog) keepPanic(line []byte) {
	if bytes.HasPrefix(line, []byte("panic: ")) || bytes.HasPrefix(line, []byte("fatal error: ")) {
		g.panicked = &panicked{}
	}
	if p := g.panicked; p != nil && len(p.text)+len(line) < maxPanic {
		p.text = append(append(p.text, line...), '\n')
	}
}

func newGuestLog(e *Engine, label slog.Attr) guestLog {
	return guestLog{log: e.log, label: label, metrics: e.metrics, lines: e.guestLines}
}

// newLines creates a limiter for lines.
func (e *Engine) newLines() *rate.Limiter {
	perSecond := e.config.Limits.LogLines
	return rate.NewLimiter(rate.Limit(perSecond), perSecond*burstSeconds)
}

// line logs one line at an slog level. It reports false if the guest exceeds its rate.
func (g *guestLog) line(level int32, text []byte) bool {
	if level >= int32(slog.LevelError) {
		g.failure = bounded(clip(text), maxReasonText)
	}
	if !g.lines.Allow() {
		g.suppress(1)
		return false
	}
	l := slog.Level(min(max(level, int32(slog.LevelDebug)), int32(slog.LevelError)))
	attrs := []slog.Attr{g.label, slog.String("text", bounded(clip(text), maxLine))}
	if g.suppressed > 0 {
		attrs = append(attrs, slog.Int("suppressed", g.suppressed))
		g.suppressed = 0
	}
	g.log.LogAttrs(context.Background(), l, "guest", attrs...)
	return true
}

// suppress counts n lines that are not logged.
func (g *guestLog) suppress(n int) {
	g.suppressed += n
	g.metrics.set.dropped.WithLabelValues(g.metrics.name, droppedLogLine).Add(float64(n))
	g.metrics.hit(limitLogLines)
}

var streamLevels = [2]slog.Level{slog.LevelInfo, slog.LevelWarn}

// write logs what the guest prints to stream 0 (standard output) or 1 (standard error). Lines are cut at maxLine. After
// the first line over the rate, the other complete lines of b are only counted: a million of them in one event must not
// cost a million checks of the rate.
func (g *guestLog) write(stream int, b []byte) {
	for len(b) > 0 {
		line, rest, ended := bytes.Cut(b, []byte("\n"))
		room := max(maxLine+utf8.UTFMax-len(g.partial[stream]), 0)
		g.partial[stream] = append(g.partial[stream], line[:min(len(line), room)]...)
		if ended {
			if stream == 1 {
				g.keepPanic(g.partial[stream])
			}
			logged := g.line(int32(streamLevels[stream]), g.partial[stream])
			g.partial[stream] = g.partial[stream][:0]
			if end := bytes.LastIndexByte(rest, '\n') + 1; !logged && end > 0 {
				g.suppress(bytes.Count(rest[:end], []byte("\n")))
				rest = rest[end:]
			}
		}
		b = rest
	}
}

// flush logs the unfinished lines.
func (g *guestLog) flush() {
	for stream, b := range g.partial {
		if len(b) > 0 {
			g.line(int32(streamLevels[stream]), b)
		}
		g.partial[stream] = nil
	}
}

// clip copies the part of a guest's text that a log can contain.
func clip(b []byte) string { return string(b[:min(len(b), maxLine+utf8.UTFMax)]) }

// bounded makes hostile text safe to log: at most limit bytes, and only printable characters.
func bounded(s string, limit int) string {
	cut := len(s) > limit
	if cut {
		s = s[:limit]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		if len(s) > 0 && s[len(s)-1] >= utf8.RuneSelf {
			s = s[:len(s)-1]
		}
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return unicode.ReplacementChar
	}, s)
	if cut {
		s += "…"
	}
	return s
}
