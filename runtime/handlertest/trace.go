package handlertest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long the suite waits for an expected event.
const patience = 90 * time.Second

// trace records what happened on each connection, in the order in which they were accepted.
type trace struct {
	mu      sync.Mutex
	conns   []*connTrace
	changed chan struct{} // closed and replaced at every line
}

type connTrace struct {
	trace *trace
	lines []string // guarded by trace.mu
}

func newTrace() *trace { return &trace{changed: make(chan struct{})} }

func (t *trace) open() *connTrace {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &connTrace{trace: t}
	t.conns = append(t.conns, c)
	return c
}

func (c *connTrace) add(format string, args ...any) {
	t := c.trace
	t.mu.Lock()
	defer t.mu.Unlock()
	c.lines = append(c.lines, fmt.Sprintf(format, args...))
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *trace) String() string { return t.format(func(lines []string) []string { return lines }) }

// callsLast formats the trace with the calls of each connection after its events.
func (t *trace) callsLast() string {
	return t.format(func(lines []string) []string {
		calls := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !strings.HasPrefix(line, "<") })
		others := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.HasPrefix(line, "<") })
		return append(others, calls...)
	})
}

func (t *trace) format(arrange func(lines []string) []string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	for i, c := range t.conns {
		fmt.Fprintf(&b, "connection %d\n", i+1)
		for _, line := range arrange(c.lines) {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	return b.String()
}

// parseTrace reads what String wrote.
func parseTrace(text string) *trace {
	t := newTrace()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "  "); ok {
			t.conns[len(t.conns)-1].add("%s", rest)
		} else {
			t.open()
		}
	}
	return t
}

// count returns how many lines of connection n, counted from 1, begin with prefix, and a channel that is closed at the
// next line.
func (t *trace) count(n int, prefix string) (int, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := 0
	if n <= len(t.conns) {
		for _, line := range t.conns[n-1].lines {
			if strings.HasPrefix(line, prefix) {
				found++
			}
		}
	}
	return found, t.changed
}

// await waits until connection n has that many lines that begin with prefix.
func (t *trace) await(tb testing.TB, n int, prefix string, times int) {
	tb.Helper()
	timeout := time.After(patience)
	for {
		found, changed := t.count(n, prefix)
		if found >= times {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			tb.Fatalf("connection %d never had %d lines %q:\n%s", n, times, prefix, t)
		}
	}
}
