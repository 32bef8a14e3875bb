// Package calldiff compares the calls of two handlers of the same connection: one that was recorded or is live, and one
// that may replace it.
//
// Calls are compared in order; times are ignored. On a stream it does not matter in how many pieces bytes are sent. The
// package imports runtime/gateway, runtime/tap and redact, and has no lock. Begin with [Diff].
package calldiff

import (
	"bytes"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/internal/redact"
)

// How far one side may be ahead.
const (
	maxAhead      = 1024
	maxAheadBytes = 1 << 20
)

// Difference is the first call in which two handlers differ.
type Difference struct {
	Kind  string // of the call: send, publish, ...; password if only the passwords differ
	first call   // of the first handler; zero if it made fewer calls
	other call
}

// Diff compares two growing sequences of calls. It is not safe for concurrent use.
type Diff struct {
	stream bool // bytes sent have no frames
	ahead  side // calls of the side that is ahead
	other  bool // that side is the other one
	found  *Difference
}

// side holds calls that wait for their counterparts.
type side struct {
	calls []call
	bytes int
}

// New creates a Diff for a connection over a socket of this type.
func New(socket gateway.SocketType) *Diff { return &Diff{stream: socket < gateway.SocketUDP} }

// First adds a call of the first handler. It does not keep r.
func (d *Diff) First(r *tap.Record) { d.add(r, false) }

// Other adds a call of the other handler.
func (d *Diff) Other(r *tap.Record) { d.add(r, true) }

// Found returns the first difference, or nil.
func (d *Diff) Found() *Difference { return d.found }

// End ends the comparison, after the last call of both handlers, and returns the first difference, or nil.
func (d *Diff) End() *Difference {
	if d.found == nil && len(d.ahead.calls) > 0 {
		d.differ(d.ahead.calls[0], call{}, d.other)
	}
	return d.found
}

func (d *Diff) add(r *tap.Record, other bool) {
	c, ok := callOf(r)
	if !ok || d.found != nil || d.stream && c.kind == tap.Send && len(c.data) == 0 {
		return
	}
	for len(d.ahead.calls) > 0 && d.other != other {
		rest, done := d.match(c, other)
		if done {
			return
		}
		c = rest
	}
	c.data = bytes.Clone(c.data)
	d.other = other
	d.ahead.calls = append(d.ahead.calls, c)
	d.ahead.bytes += len(c.data) + len(c.head)
	if len(d.ahead.calls) > maxAhead || d.ahead.bytes > maxAheadBytes {
		d.differ(d.ahead.calls[0], call{}, other)
	}
}

// match compares c with the first call that waits, and returns the part of c that is left to compare.
func (d *Diff) match(c call, other bool) (rest call, done bool) {
	waiting := &d.ahead.calls[0]
	n := len(c.data)
	if d.stream && c.kind == tap.Send {
		n = min(n, len(waiting.data))
	}
	switch {
	case c.kind != waiting.kind || c.head != waiting.head || len(waiting.data) < n || !bytes.Equal(c.data[:n],
		waiting.data[:n]):
		d.differ(c, *waiting, other)
		return call{}, true
	case c.password != "" && waiting.password != "" && c.password != waiting.password:
		d.found = &Difference{
			Kind: "password", first: call{kind: c.kind, head: c.head},
			other: call{kind: c.kind, head: c.head},
		}
		return call{}, true
	case len(waiting.data) > n && d.stream && c.kind == tap.Send:
		waiting.data = waiting.data[n:]
		d.ahead.bytes -= n
		return call{}, true
	case len(waiting.data) > n:
		d.differ(c, *waiting, other)
		return call{}, true
	}
	d.ahead.bytes -= n + len(waiting.head)
	d.ahead.calls = d.ahead.calls[1:]
	c.data = c.data[n:]
	return c, len(c.data) == 0
}

// differ records that c, of one side, differs from counterpart.
func (d *Diff) differ(c, counterpart call, other bool) {
	first, second := c, counterpart
	if other {
		first, second = counterpart, c
	}
	kind := first.kind
	if kind == 0 {
		kind = second.kind
	}
	d.found = &Difference{Kind: kind.String(), first: first, other: second}
	if kind == tap.Handled {
		d.found.Kind = "failure"
	}
	d.ahead = side{}
}

// Texts describes both sides with secrets covered; "nothing" stands for a missing call.
func (d *Difference) Texts(s *redact.Secrets) (first, other string) {
	return describe(d.first, s), describe(d.other, s)
}

func describe(c call, s *redact.Secrets) string {
	if c.kind == 0 {
		return "nothing"
	}
	c.data = s.Bytes(c.data)
	c.head = s.Text(c.head)
	return c.text()
}
