package module

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/exgate/exgate/runtime/wasm"
)

// console prints what happens on a connection, one line each. Lines with > are bytes from the device and lines with <
// bytes to it, + and - mark the beginning and the end, and indented lines are between the gateway and the module.
type console struct {
	hex bool // print bytes as hexadecimal digits instead of quoted text

	mu sync.Mutex // guards the field below
	w  io.Writer
}

func (c *console) line(mark, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.w, "%s %s\n", mark, fmt.Sprintf(format, args...))
}

// note prints a line between the gateway and the module.
func (c *console) note(format string, args ...any) { c.line(" ", format, args...) }

// stack prints a guest's stack.
func (c *console) stack(trace string) {
	for line := range strings.Lines(trace) {
		c.note("  in %s", strings.TrimSuffix(line, "\n"))
	}
}

// printPeaks prints the most that an event and an instance have used.
func printPeaks(w io.Writer, p wasm.Peaks) {
	fmt.Fprintf(w, "at most %d units of fuel in an event, %d KiB of memory\n", p.Fuel, p.Memory>>10)
}

// bytes formats b.
func (c *console) bytes(b []byte) string {
	if c.hex {
		return fmt.Sprintf("%x", b)
	}
	return fmt.Sprintf("%q", b)
}

// Enabled accepts guest logs of every level.
func (c *console) Enabled(context.Context, slog.Level) bool { return true }

// Handle prints a log line of the module, or the failure of an instance.
func (c *console) Handle(_ context.Context, r slog.Record) error {
	fields := make(map[string]string)
	r.Attrs(func(a slog.Attr) bool {
		fields[a.Key] = a.Value.String()
		return true
	})
	switch {
	case r.Message == "guest":
		c.note("log %v %q", r.Level, fields["text"])
	case r.Level >= slog.LevelError:
		c.note("%s: %s", r.Message, fields["error"])
		c.stack(fields["stack"])
	}
	return nil
}

// WithAttrs ignores attributes: there is only one module and one connection.
func (c *console) WithAttrs([]slog.Attr) slog.Handler { return c }

// WithGroup does nothing.
func (c *console) WithGroup(string) slog.Handler { return c }
