// Package replay plays a capture to a handler, and compares the calls of the handler with the recorded ones.
//
// It uses no network: calls are answered as the recorded ones were. It supports handlers that call inside their events,
// as modules do. It imports runtime/gateway and runtime/tap, and has no lock. Begin with [Run].
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

// maxBytes bounds the size of a capture in memory.
const maxBytes = 256 << 20

// entrySize is the memory of an entry without its bytes.
const entrySize = 512

// Run replays a capture. Connections are interleaved as they were recorded. An error is one of reading, except that a
// truncated capture is only noted in the report.
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

// read returns the entries in order of time.
func read(from *capture.Reader) ([]capture.Entry, error) {
	var entries []capture.Entry
	size := 0
	for e, err := range from.All() {
		if err != nil {
			return inOrder(entries), err
		}
		size += entrySize + len(e.Record.Data) + e.Record.Props.Size()
		for _, m := range e.Record.Messages {
			size += entrySize + len(m.Payload) + m.Properties.Size()
		}
		if size > maxBytes {
			return nil, fmt.Errorf("it is larger than %d MiB in memory: replay it in parts", maxBytes>>20)
		}
		entries = append(entries, e)
	}
	return inOrder(entries), nil
}

// inOrder sorts entries by time. The entries of one connection keep their order.
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
