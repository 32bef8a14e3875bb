// Package replay feeds what was captured to a handler, and compares what it calls with what the recorded one called.
//
// Nothing of it reaches a network: the handler calls a double that answers as it was answered then. It is for handlers that call inside their events,
// as modules do.
package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap/capture"
)

// maxBytes bounds what a capture may hold, as entries in memory.
const maxBytes = 256 << 20

// entrySize is what an entry costs without its bytes.
const entrySize = 512

// Run replays a capture. Connections are replayed beside each other, as they were. An error is one of reading: that a capture ends in the
// middle of a line is none, and stands in the report.
func Run(ctx context.Context, f gateway.HandlerFactory, from *capture.Reader) (*Report, error) {
	report := &Report{Header: from.Header()}
	entries, err := read(from)
	if errors.Is(err, capture.ErrTruncated) {
		report.Truncated, err = true, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading a capture: %w", err)
	}
	conns := make(map[uint32]*connection)
	for i := range entries {
		e := &entries[i]
		c := conns[e.Conn]
		if c == nil {
			c = newConnection(e.Conn)
			conns[e.Conn] = c
		}
		c.plan(e)
	}
	for i := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		conns[entries[i].Conn].play(f, &entries[i])
	}
	for _, number := range slices.Sorted(maps.Keys(conns)) {
		report.Connections = append(report.Connections, conns[number].end())
	}
	return report, nil
}

// read returns the entries in the order in which they happened.
func read(from *capture.Reader) ([]capture.Entry, error) {
	var entries []capture.Entry
	size := 0
	for e, err := range from.All() {
		if err != nil {
			return inOrder(entries), err
		}
		size += entrySize + len(e.Record.Data)
		for _, m := range e.Record.Messages {
			size += entrySize + len(m.Payload)
		}
		if size > maxBytes {
			return nil, fmt.Errorf("it holds more than %d MiB: replay it in parts", maxBytes>>20)
		}
		entries = append(entries, e)
	}
	return inOrder(entries), nil
}

// inOrder sorts entries by time. Those of one connection keep their order.
func inOrder(entries []capture.Entry) []capture.Entry {
	last := make(map[uint32]time.Duration)
	for i := range entries {
		r := &entries[i].Record
		r.At = max(r.At, last[entries[i].Conn])
		last[entries[i].Conn] = r.At
	}
	slices.SortStableFunc(entries, func(a, b capture.Entry) int { return cmp.Compare(a.Record.At, b.Record.At) })
	return entries
}
