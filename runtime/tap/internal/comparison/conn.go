// Package comparison runs a second handler on a connection that another handler had, or has. The second handler gets
// the same events. Its calls go nowhere: they are answered as the first handler's were, and compared with them.
//
// It supports handlers that call inside their events, as modules do. It imports runtime/gateway, runtime/tap and
// calldiff. Its only lock is adapter.mu, a leaf. Begin with [Open] and [Conn.Play].
package comparison

import (
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/internal/calldiff"
)

// Config configures a [Conn].
type Config struct {
	// ID is the id of the connection that the handler sees. It is required.
	ID string
	// Posts says that the first handler posts events: those of the second one then run when the records say so. If
	// false, they run at once.
	Posts bool
	// Wait delays the results of calls that the first handler has not made yet until it makes them. If false, they
	// succeed.
	Wait bool
	// Called gets each call of the second handler. Optional.
	Called func(*tap.Record)
}

// Conn is one connection. It is not safe for concurrent use.
type Conn struct {
	cfg     Config
	adapter *adapter
	handler gateway.ConnectionHandler // nil before Created, and after Closed
	failure error                     // the first error of the second handler
}

// Open creates a handler of f for the connection that begins with the record r.
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

// Plan adds a call or result of the first handler ahead of time, since the second handler may call earlier.
func (c *Conn) Plan(r *tap.Record) { c.adapter.plan(r) }

// Play processes the next record of the connection.
func (c *Conn) Play(r *tap.Record) {
	switch {
	case r.Kind == tap.Posted:
		c.post()
	case r.Kind == tap.Result:
		c.adapter.answered(r)
	case r.Kind == tap.Closed:
		c.close(r.Reason)
	case r.Kind.Event():
		c.deliver(func() error { return deliverTo(c.handler, r) })
	default:
		c.adapter.first(r)
	}
	c.settle()
}

// deliverTo calls h with the event r.
func deliverTo(h gateway.ConnectionHandler, r *tap.Record) error {
	switch r.Kind {
	case tap.Created:
		return h.OnSocketCreated(r.Info)
	case tap.Bytes:
		return h.OnReceivedBytes(r.Data)
	case tap.Timer:
		return h.OnTimerTimeout(r.Timer)
	case tap.Alarm:
		if a, ok := h.(gateway.AlarmHandler); ok {
			return a.OnAlarm(r.Alarm)
		}
	case tap.Messages:
		return h.OnReceivedMessages(r.Messages)
	case tap.Drain:
		if d, ok := h.(gateway.Drainer); ok {
			return d.OnDrain()
		}
	}
	return nil
}

// deliver runs an event of the handler, unless the handler has ended the connection.
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

// settle delivers the results that are due, and runs the events that the handler posts for them if no record says when.
func (c *Conn) settle() {
	for done := c.adapter.due(); done != nil; done = c.adapter.due() {
		done()
		for !c.cfg.Posts && c.post() {
		}
	}
}

// post runs the next event that the handler has posted. It reports false if there is none.
func (c *Conn) post() bool {
	event := c.adapter.posted()
	if event != nil {
		c.deliver(event)
	}
	return event != nil
}

// close delivers the last event.
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

// Found returns the first difference so far, or nil.
func (c *Conn) Found() *calldiff.Difference {
	c.adapter.mu.Lock()
	defer c.adapter.mu.Unlock()
	return c.adapter.diff.Found()
}

// Failure returns the first error of the second handler, or nil.
func (c *Conn) Failure() error { return c.failure }

// Apart reports whether one handler is too far ahead of the other to be answered as the other is.
func (c *Conn) Apart() bool {
	c.adapter.mu.Lock()
	defer c.adapter.mu.Unlock()
	return c.adapter.answers.many()
}

// Compare ends the comparison, after the last call of both handlers, and returns the first difference, or nil.
func (c *Conn) Compare() *calldiff.Difference {
	c.adapter.mu.Lock()
	defer c.adapter.mu.Unlock()
	c.adapter.silent = true
	return c.adapter.diff.End()
}

// Abandon ends the connection of the second handler before that of the first one has ended.
func (c *Conn) Abandon(reason gateway.CloseReason) {
	c.adapter.end(true)
	c.close(reason)
}
