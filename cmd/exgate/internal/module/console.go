package module

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
)

// console prints what happens on a connection, a line each: what begins with > came from the device, with < goes to it, with + and - are its beginning and end, and
// what is indented is between the gateway and the module.
type console struct {
	hex bool // bytes as hexadecimal digits, not as quoted text

	mu sync.Mutex // guards the field below
	w  io.Writer
}

func (c *console) line(mark, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.w, "%s %s\n", mark, fmt.Sprintf(format, args...))
}

// note is a line between the gateway and the module.
func (c *console) note(format string, args ...any) { c.line(" ", format, args...) }

// bytes is b as a person reads it.
func (c *console) bytes(b []byte) string {
	if c.hex {
		return fmt.Sprintf("%x", b)
	}
	return fmt.Sprintf("%q", b)
}

// Enabled lets guests be seen at every level.
func (c *console) Enabled(context.Context, slog.Level) bool { return true }

// Handle prints a line of the module's log, and how an instance failed.
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
	}
	return nil
}

// WithAttrs leaves the attributes of loggers away: there is one module and one connection.
func (c *console) WithAttrs([]slog.Attr) slog.Handler { return c }

// WithGroup does nothing.
func (c *console) WithGroup(string) slog.Handler { return c }
