package callback

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

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
