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

// Invoker is one method of a handler's service in some dialect. It brings one event to a backend and waits as long as the dialect has it wait. The
// error is a [gateway.HandlerError] made by Client.failed, or a [refusal].
type Invoker interface {
	Invoke(to *backend.Backend, request proto.Message) error
}

// Delivery is one connection's way to its handler. Its methods are called one at a time.
type Delivery struct {
	caller      *Caller
	Conn        gateway.ConnectionAdapter
	Pin         backend.Pin
	announced   bool   // the handler may have heard of the connection
	interrupted *event // was waiting when the connection began to close; goes out before the last event
}

// event is a request on its way to a method.
type event struct {
	via     Invoker
	request proto.Message
}

// releaser is met by invokers that hold something for a connection until its last event.
type releaser interface{ release() }

// release frees what d and the invoker of its last event hold.
func (d *Delivery) release(last event) {
	d.Pin.Release()
	if l, ok := last.via.(releaser); ok {
		l.release()
	}
}

func NewDelivery(c *Caller, conn gateway.ConnectionAdapter) Delivery {
	return Delivery{caller: c, Conn: conn, Pin: c.Pool.Pin()}
}

// Deliver brings an event to the backend of the connection, as often and as long as OnFailure says. The error is a [gateway.HandlerError].
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

// deliverLast delivers OnSocketClosed. Where it cannot be, it is tried again behind the connection's back, if the handler may have heard of the
// connection.
func (d *Delivery) deliverLast(via Invoker, request proto.Message) error {
	last := event{via, request}
	if d.interrupted != nil {
		d.deliverLater(*d.interrupted, last)
		return nil
	}
	err := d.attempt(last, waitForever) // the device is gone: nobody waits for this
	if err != nil && d.announced && target.Unreachable(err) {
		d.deliverLater(last)
		return err
	}
	d.release(last)
	return err
}

// deliverLater has the last events delivered when the handler is back.
func (d *Delivery) deliverLater(events ...event) {
	d.caller.closes.add(Delivery{caller: d.caller, Pin: d.Pin, announced: true}, events...)
}

// backend is where the connection is pinned; a new one waits for a backend as it would for an answer.
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

// How long a call that a backend refused rests before it goes again: the pause doubles.
const (
	firstRefusalPause   = 10 * time.Millisecond
	longestRefusalPause = 250 * time.Millisecond
)

// errInterrupted is the error of an event that did not go out because its connection ended, or patience did.
var errInterrupted = errors.New("the event was interrupted while it waited for the handler")

// waitFunc begins a wait; ctx ends when it is to be given up. A nil ctx says that it is to be given up at once.
type waitFunc func() (ctx context.Context, end func())

// waitForever waits until the wait is over.
func waitForever() (context.Context, func()) { return context.Background(), func() {} }

// waitWithin waits until ctx ends.
func waitWithin(ctx context.Context) waitFunc {
	return func() (context.Context, func()) { return ctx, func() {} }
}

// traffic counts the callbacks of a client.
type traffic struct {
	inFlight prometheus.Gauge
	waiting  prometheus.Gauge
	refused  prometheus.Counter
}

// enter waits for a place at a backend's gate.
func (c *traffic) enter(gate *backend.Gate, turn *backend.Turn, wait waitFunc) error {
	if gate.TryEnter(turn) {
		return nil
	}
	ctx, end := wait()
	if ctx == nil {
		return errInterrupted
	}
	defer end()
	c.waiting.Inc()
	defer c.waiting.Dec()
	if gate.Enter(ctx, turn) != nil {
		return errInterrupted
	}
	return nil
}

// pauseBeforeRetry is the pause before a refused call goes again.
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

// attempt makes one call, as soon as the backend's gate admits it. The time that it waits there is not the handler's. A call that the backend has no
// stream for goes again, before calls that came later, and fails when its tries and pauses together took the time of a call.
func (d *Delivery) attempt(e event, wait waitFunc) error {
	to, err := d.backend()
	if err != nil {
		return err
	}
	c, gate := d.caller, to.Gate()
	var turn backend.Turn
	var tried time.Duration
	for pause := firstRefusalPause; ; pause = min(2*pause, longestRefusalPause) {
		if err := c.traffic.enter(gate, &turn, wait); err != nil {
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

// Refusal is the error of an invoker whose call the backend had no stream for. It is no failure yet.
type Refusal struct {
	method string
	err    error
}

func (r *Refusal) Error() string { return r.method + ": " + r.err.Error() }

// hold tries e, which failed with err, again until that leads to something else or patience ends. Meanwhile the socket is not read.
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

// pause waits for d, then for a backend.
func (d *Delivery) pause(ctx context.Context, pause time.Duration) error {
	if !backoff.Sleep(ctx, pause) {
		return ctx.Err()
	}
	return d.Pin.Await(ctx, d.caller.OnFailure.MoveAfter())
}

// wait begins a wait, for limit at most unless that is 0, that the end of the connection cancels. Where it has ended already, ctx is nil.
func (d *Delivery) wait(limit time.Duration) (ctx context.Context, end func()) {
	return target.WaitContext(d.Conn, limit)
}

// keepInterrupted keeps an event that the end of its connection interrupted, so that it goes out before the last one. With OnFailureClose it is dropped, like
// what the socket still held, and so it is where the handler has not heard of the connection.
func (d *Delivery) keepInterrupted(e event, err error) error {
	if d.announced && d.caller.OnFailure != target.OnFailureClose {
		d.interrupted = &event{e.via, proto.Clone(e.request)}
	}
	return err
}
