package replay

import (
	"errors"

	"github.com/exgate/exgate/runtime/capture"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
)

// connection is one that is played again.
type connection struct {
	Connection
	answers answers
	posts   bool                      // the recorded handler posted events, and the capture says when they ran
	adapter *adapter                  // nil before Created
	handler gateway.ConnectionHandler // nil before Created, and after Closed
}

func newConnection(number uint32) *connection {
	return &connection{Connection: Connection{Number: number}, answers: newAnswers()}
}

// plan looks ahead: a handler may call before the recorded one did.
func (c *connection) plan(e capture.Entry) {
	c.posts = c.posts || e.Record.Kind == tap.Posted
	c.answers.plan(&e.Record)
}

// play gives the handler what the entry was.
func (c *connection) play(f gateway.HandlerFactory, e capture.Entry) {
	r := &e.Record
	switch {
	case e.Cut != "":
		c.Cut = e.Cut
	case c.adapter == nil && r.Kind == tap.Created:
		c.open(f, e)
	case c.adapter == nil || r.Kind == tap.Created: // its beginning is not there, or there twice
	case r.Kind == tap.Posted:
		c.post()
	case r.Kind == tap.Result:
		c.adapter.answered(r)
	case r.Kind == tap.Closed:
		c.adapter.event(r)
		c.close(r.Reason)
	case r.Kind.Event():
		c.adapter.event(r)
		c.deliver(func() error { return Tell(c.handler, r) })
	default:
		c.adapter.first(r)
	}
	c.settle()
}

// open gives the handler a connection.
func (c *connection) open(f gateway.HandlerFactory, e capture.Entry) {
	c.Line, c.Info = e.Line, e.Record.Info
	c.adapter = newAdapter(c.Number, c.Info.SocketType, c.answers)
	c.adapter.event(&e.Record)
	handler, err := f.NewHandler(c.adapter)
	if err != nil {
		c.fail(err)
		return
	}
	c.handler = handler
	c.deliver(func() error { return handler.OnSocketCreated(c.Info) })
}

// Tell gives h the event that r is a record of.
func Tell(h gateway.ConnectionHandler, r *tap.Record) error {
	switch r.Kind {
	case tap.Created:
		return h.OnSocketCreated(r.Info)
	case tap.Bytes:
		return h.OnReceivedBytes(r.Data)
	case tap.Timer:
		return h.OnTimerTimeout(r.Timer)
	case tap.Messages:
		return h.OnReceivedMessages(r.Messages)
	case tap.Drain:
		if d, ok := h.(gateway.Drainer); ok {
			return d.OnDrain()
		}
	case tap.Closed:
		return h.OnSocketClosed(r.Reason)
	}
	return nil
}

// deliver runs one event of the handler. Where the handler has ended the connection there is none but the last.
func (c *connection) deliver(event func() error) {
	if c.handler == nil || c.adapter.closed() {
		return
	}
	if err := event(); err != nil {
		c.fail(err)
	}
}

func (c *connection) fail(err error) {
	c.adapter.fail(&tap.Record{Kind: tap.Handled, Err: errors.New(gateway.ReasonOf(err).String())})
}

// settle tells the handler the results that it waits for and that are there, and runs what it posts of them where the capture does not say when.
func (c *connection) settle() {
	if c.adapter == nil {
		return
	}
	for done := c.adapter.due(); done != nil; done = c.adapter.due() {
		done()
		for !c.posts && c.post() {
		}
	}
}

// post runs the next event that the handler posted. It reports false where there is none.
func (c *connection) post() bool {
	event := c.adapter.posted()
	if event != nil {
		c.deliver(event)
	}
	return event != nil
}

// close is the last event.
func (c *connection) close(reason gateway.CloseReason) {
	c.adapter.end(false)
	if c.handler == nil {
		return
	}
	if err := c.handler.OnSocketClosed(reason); err != nil {
		c.fail(err)
	}
	c.handler = nil
}

// end returns what came out. A capture that stops before the connection did is compared up to there.
func (c *connection) end() Connection {
	if c.adapter == nil {
		return c.Connection
	}
	if whole := c.handler == nil; whole && c.Cut == "" {
		c.adapter.diff.End()
	} else if !whole {
		c.adapter.end(true)
		c.close(gateway.ReasonShutdown)
	}
	c.adapter.mu.Lock()
	defer c.adapter.mu.Unlock()
	c.Replayed, c.recorded = c.adapter.replayed.lines, c.adapter.recorded.lines
	c.Different = c.adapter.diff.Found() != nil
	return c.Connection
}
