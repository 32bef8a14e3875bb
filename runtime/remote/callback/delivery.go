package callback

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/exgate/exgate/internal/backoff"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/backend"
	"github.com/exgate/exgate/runtime/remote/target"
)

// Invoker is one method of a handler's service in some dialect. Invoke sends one event to a backend and waits as long
// as the dialect requires. The error is a [gateway.HandlerError] from Target.Failed, a [Refusal] or an [AbsentError].
type Invoker interface {
	Invoke(to *backend.Backend, request proto.Message) error
}

// Delivery delivers the events of one connection. Its methods are called one at a time.
type Delivery struct {
	caller      *Caller
	Conn        gateway.ConnectionAdapter
	Pin         backend.Pin
	announced   bool   // the handler may know the connection
	interrupted *event // was waiting when the connection closed; sent before the last event
}

// event is a request and the method that takes it.
type event struct {
	via     Invoker
	request proto.Message
}

// releaser is implemented by invokers that keep something for a connection until its last event.
type releaser interface{ release() }

// release frees what d and the invoker of its last event keep.
func (d *Delivery) release(last event) {
	d.Pin.Release()
	if l, ok := last.via.(releaser); ok {
		l.release()
	}
}

// NewDelivery returns the delivery of a connection without a backend yet.
func NewDelivery(c *Caller, conn gateway.ConnectionAdapter) Delivery {
	return Delivery{caller: c, Conn: conn, Pin: c.Pool.Pin()}
}

// Deliver sends an event to the backend of the connection, and retries as OnFailure says. The error is a
// [gateway.HandlerError].
func (d *Delivery) Deliver(via Invoker, request proto.Message) error {
	e := event{via, request}
	err := d.attempt(e, func() (context.Context, func()) { return d.wait(0) })
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errInterrupted):
		return d.keepInterrupted(e, target.ErrClosing)
	case d.caller.OnFailure.Retries(err):
		return d.hold(e, err)
	}
	return err
}

// deliverLast delivers OnSocketClosed. If the handler is unreachable and may know the connection, it is retried in the
// background.
func (d *Delivery) deliverLast(via Invoker, request proto.Message) error {
	last := event{via, request}
	if d.interrupted != nil {
		d.deliverLater(*d.interrupted, last)
		return nil
	}
	err := d.attempt(last, waitForever) // the device is gone: nothing waits for this call
	if err != nil && d.announced && target.Unreachable(err) {
		d.deliverLater(last)
		return err
	}
	d.release(last)
	return err
}

// deliverLater retries the last events in the background.
func (d *Delivery) deliverLater(events ...event) {
	d.caller.closes.add(Delivery{caller: d.caller, Pin: d.Pin, announced: true}, events...)
}

// backend returns the backend that the connection is pinned to. A new connection waits for one for the timeout of a
// call.
func (d *Delivery) backend() (*backend.Backend, error) {
	if b := d.Pin.At(); b != nil {
		return b, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), d.caller.Timeout)
	defer cancel()
	b, err := d.Pin.Backend(ctx)
	if err != nil {
		return nil, d.caller.Failed(nil, "connecting", status.Error(codes.Unavailable, fmt.Sprint(err)), true)
	}
	return b, nil
}

// The pause before a call that the backend refused is made again; it doubles each time.
const (
	firstRefusalPause   = 10 * time.Millisecond
	longestRefusalPause = 250 * time.Millisecond
)

// errInterrupted is the error of an event that was not sent because its connection closed or its patience ended.
var errInterrupted = errors.New("the event was interrupted while it waited for the handler")

// waitFunc begins a wait, which must be given up when ctx ends. If ctx is nil, it must be given up at once.
type waitFunc func() (ctx context.Context, end func())

// waitForever never gives up.
func waitForever() (context.Context, func()) { return context.Background(), func() {} }

// waitWithin gives up when ctx ends.
func waitWithin(ctx context.Context) waitFunc {
	return func() (context.Context, func()) { return ctx, func() {} }
}

// traffic counts the calls of a handler.
type traffic struct {
	inFlight prometheus.Gauge
	waiting  prometheus.Gauge
	refused  prometheus.Counter
}

// enter waits until the backend's gate admits a call.
func (c *traffic) enter(gate *backend.Gate, ticket *backend.Ticket, wait waitFunc) error {
	if gate.TryEnter(ticket) {
		return nil
	}
	ctx, end := wait()
	if ctx == nil {
		return errInterrupted
	}
	defer end()
	c.waiting.Inc()
	defer c.waiting.Dec()
	if gate.Enter(ctx, ticket) != nil {
		return errInterrupted
	}
	return nil
}

// pauseBeforeRetry pauses before a refused call is made again.
func pauseBeforeRetry(pause time.Duration, wait waitFunc) error {
	ctx, end := wait()
	if ctx == nil {
		return errInterrupted
	}
	defer end()
	if !backoff.Sleep(ctx, backoff.Jitter(pause)) {
		return errInterrupted
	}
	return nil
}

// attempt makes one call when the backend's gate admits it; the time it waits there does not count as the handler's. A
// call that the backend refuses is made again, before later calls, and fails once its attempts and pauses exceed the
// timeout.
func (d *Delivery) attempt(e event, wait waitFunc) error {
	to, err := d.backend()
	if err != nil {
		return err
	}
	c, gate := d.caller, to.Gate()
	var ticket backend.Ticket
	var tried time.Duration
	for pause := firstRefusalPause; ; pause = min(2*pause, longestRefusalPause) {
		if err := c.traffic.enter(gate, &ticket, wait); err != nil {
			return err
		}
		c.traffic.inFlight.Inc()
		began := time.Now()
		err = e.via.Invoke(to, e.request)
		c.traffic.inFlight.Dec()
		refusal, refused := err.(*Refusal) //nolint:errorlint // invokers return it bare
		gate.Leave(refused)
		var absent *AbsentError
		if errors.As(err, &absent) {
			err = c.Failed(to, absent.Method, absent.Err, true)
		}
		if !refused {
			d.announced = d.announced || !target.Unsent(err)
			return err
		}
		c.traffic.refused.Inc()
		if tried += time.Since(began) + pause; tried > c.Timeout {
			return c.Failed(to, refusal.method, refusal.err, true)
		}
		if err := pauseBeforeRetry(pause, wait); err != nil {
			return err
		}
	}
}

// Refusal is the error of an [Invoker] whose call the backend had no stream for. It does not count as a failure yet.
type Refusal struct {
	method string
	err    error
}

func (r *Refusal) Error() string { return r.method + ": " + r.err.Error() }

// hold retries e, which failed with err, until it gets another result or the patience ends. Meanwhile the socket is not
// read.
func (d *Delivery) hold(e event, err error) error {
	c := d.caller
	ctx, end := d.wait(c.Patience)
	if ctx == nil {
		return d.keepInterrupted(e, err)
	}
	defer end()
	c.Metrics.Held.WithLabelValues(c.Name).Inc()
	defer c.Metrics.Held.WithLabelValues(c.Name).Dec()
	for pause := target.FirstPause; ; pause = min(2*pause, target.LongestPause) {
		if d.pause(ctx, backoff.Jitter(pause)) != nil {
			break
		}
		c.Metrics.Retries.WithLabelValues(c.Name).Inc()
		failed := d.attempt(e, waitWithin(ctx))
		if errors.Is(failed, errInterrupted) {
			break
		}
		if err = failed; err == nil || !c.OnFailure.Retries(err) {
			return err
		}
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return d.keepInterrupted(e, err)
	}
	return err
}

// pause pauses, and then waits for a backend.
func (d *Delivery) pause(ctx context.Context, pause time.Duration) error {
	if !backoff.Sleep(ctx, pause) {
		return ctx.Err()
	}
	return d.Pin.Await(ctx, d.caller.OnFailure.MoveAfter())
}

// wait begins a wait that ends after limit, unless that is 0, or when the connection closes. ctx is nil if it is
// closing already.
func (d *Delivery) wait(limit time.Duration) (ctx context.Context, end func()) {
	return target.WaitContext(d.Conn, limit)
}

// keepInterrupted keeps an event that the closing of its connection interrupted, to send it before the last one. With
// OnFailureClose it is dropped like the unread bytes of the socket; so it is if the handler does not know the
// connection.
func (d *Delivery) keepInterrupted(e event, err error) error {
	if d.announced && d.caller.OnFailure != target.OnFailureClose {
		d.interrupted = &event{e.via, proto.Clone(e.request)}
	}
	return err
}
