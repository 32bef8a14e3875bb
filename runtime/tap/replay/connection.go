package replay

import (
	"fmt"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/capture"
	"github.com/exgate/exgate/runtime/tap/internal/comparison"
)

// connection is a connection that is replayed.
type connection struct {
	Connection
	ahead      []*tap.Record    // calls and results
	posts      bool             // the recorded handler posted events, so the capture says when they ran
	comparison *comparison.Conn // nil before Created
	closed     bool             // Closed was played
	recorded   trace
	replayed   trace
}

func newConnection(number uint32) *connection {
	return &connection{Connection: Connection{Number: number}}
}

// plan reads an entry ahead of time.
func (c *connection) plan(e *capture.Entry) {
	r := &e.Record
	c.Covered = c.Covered || e.Covered
	c.posts = c.posts || r.Kind == tap.Posted
	if r.Kind.Call() || r.Kind == tap.Result {
		c.ahead = append(c.ahead, r)
	}
}

// play plays an entry to the handler.
func (c *connection) play(f gateway.HandlerFactory, e *capture.Entry) {
	r := &e.Record
	switch {
	case e.Cut != "":
		c.Cut = e.Cut
		return
	case c.comparison == nil && r.Kind == tap.Created:
		c.open(f, e)
	case c.comparison == nil || r.Kind == tap.Created: // its beginning is missing or repeated
		return
	}
	switch {
	case r.Kind.Event() && r.Kind != tap.Posted:
		c.recorded.event(r)
		c.replayed.event(r)
	case r.Kind.Call() || r.Kind == tap.Handled:
		c.recorded.call(r)
	}
	c.closed = c.closed || r.Kind == tap.Closed
	c.comparison.Play(r)
}

func (c *connection) open(f gateway.HandlerFactory, e *capture.Entry) {
	c.Line, c.Info = e.Line, e.Record.Info
	c.comparison = comparison.Open(f, &e.Record, comparison.Config{
		ID: fmt.Sprintf("%d@replay", c.Number), Posts: c.posts, Called: c.replayed.call,
	})
	for _, r := range c.ahead {
		c.comparison.Plan(r)
	}
}

// end returns the result. If the capture ends before the connection does, the calls are compared up to there.
func (c *connection) end() Connection {
	if c.comparison == nil {
		return c.Connection
	}
	if c.closed && c.Cut == "" {
		c.comparison.Compare()
	}
	c.Different = c.comparison.Found() != nil
	c.comparison.Abandon(gateway.ReasonShutdown)
	c.Replayed, c.Connection.recorded = c.replayed.lines, c.recorded.lines
	return c.Connection
}
