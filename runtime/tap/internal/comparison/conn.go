// Package comparison has a handler live through a connection that was another's: it is told what the other was told, its calls go nowhere, are
// answered as the other's were, and compared with them.
//
// It is for handlers that call inside their events, as modules do.
package comparison

import (
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/internal/calldiff"
)

// Config is how a connection is stood in for.
type Config struct {
	// ID is the connection's name for the handler. It is required.
	ID string
	// Posts says that the first handler posts events, so that records say when those of the second have their turn. If zero, they have it at once.
	Posts bool
	// Patient keeps calls that the first handler has not made yet without a result until it makes them. If zero, they go well.
	Wait bool
	// Called is told each call of the second handler. If zero, nobody is.
	Called func(*tap.Record)
}

// Conn is one connection. It is not safe for concurrent use.
type Conn struct {
	cfg     Config
	adapter *adapter
	handler gateway.ConnectionHandler // nil before Created, and after Closed
	failure error                     // what the second handler failed with
}

// Open gives the connection whose Created is r to a handler of f.
func Open(f gateway.HandlerFactory, r *tap.Record, cfg Config) *Conn {
	if cfg.Called == nil {
		cfg.Called = func(*tap.Record) {}
	}
	c := &Conn{cfg: cfg, adapter: &adapter{
		id: cfg.ID, called: cfg.Called, patient: cfg.Wait, diff: calldiff.New(r.Info.SocketType), answers: newAnswers(),
	}}
	handler, err := f.NewHandler(c.adapter)
	if err != nil {
		c.fail(err)
		return c
	}
	c.handler = handler
	return c
}

// Plan looks ahead at calls and results of the first handler: the second may call before the first has.
func (c *Conn) Plan(r *tap.Record) { c.adapter.plan(r) }

// Play is what happened to the connection next.
func (c *Conn) Play(r *tap.Record) {
	switch {
	case r.Kind == tap.Posted:
		c.post()
	case r.Kind == tap.Result:
		c.adapter.answered(r)
	case r.Kind == tap.Closed:
		c.close(r.Reason)
	case r.Kind.Event():
		c.deliver(func() error { return tell(c.handler, r) })
	default:
		c.adapter.first(r)
	}
	c.settle()
}

// tell gives h the event that r is a record of.
func tell(h gateway.ConnectionHandler, r *tap.Record) error {
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
	}
	return nil
}

// deliver runs one event of the handler. Where the handler has ended the connection there is none but the last.
func (c *Conn) deliver(event func() error) {
	if c.handler == nil || c.adapter.closed() {
		return
	}
	if err := event(); err != nil {
		c.fail(err)
	}
}

func (c *Conn) fail(err error) {
	if c.failure == nil {
		c.failure = err
	}
	c.adapter.fail(&tap.Record{Kind: tap.Handled, Err: err})
}

// settle tells the handler the results that it waits for and that are there, and runs what it posts of them where no record will say when.
func (c *Conn) settle() {
	for done := c.adapter.due(); done != nil; done = c.adapter.due() {
		done()
		for !c.cfg.Posts && c.post() {
		}
	}
}

// post runs the next event that the handler posted. It reports false where there is none.
func (c *Conn) post() bool {
	event := c.adapter.posted()
	if event != nil {
		c.deliver(event)
	}
	return event != nil
}

// close is the last event.
func (c *Conn) close(reason gateway.CloseReason) {
	c.adapter.end(false)
	if c.handler == nil {
		return
	}
	handler := c.handler
	c.handler = nil
	if err := handler.OnSocketClosed(reason); err != nil {
		c.fail(err)
	}
}

// Found is the first difference so far, or nil.
func (c *Conn) Found() *calldiff.Difference {
	c.adapter.mu.Lock()
	defer c.adapter.mu.Unlock()
	return c.adapter.diff.Found()
}

// Failure is the error that the second handler failed with first, or nil.
func (c *Conn) Failure() error { return c.failure }

// Apart reports whether one handler is so far ahead of the other that it cannot be answered as the other is.
func (c *Conn) Apart() bool {
	c.adapter.mu.Lock()
	defer c.adapter.mu.Unlock()
	return c.adapter.answers.many()
}

// Compare says that neither handler calls any more, and returns the first difference, or nil.
func (c *Conn) Compare() *calldiff.Difference {
	c.adapter.mu.Lock()
	defer c.adapter.mu.Unlock()
	c.adapter.silent = true
	return c.adapter.diff.End()
}

// Abandon ends the connection for the second handler before it has ended for the first.
func (c *Conn) Abandon(reason gateway.CloseReason) {
	c.adapter.end(true)
	c.close(reason)
}
