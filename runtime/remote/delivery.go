package remote

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/backend"
)

// invoker is one method of a handler's service in some dialect. It brings one event to a backend and waits as long as the dialect has it wait. The
// error is a [gateway.HandlerError] made by Client.failed, or a [refusal].
type invoker interface {
	invoke(to *backend.Backend, request proto.Message) error
}

// delivery is one connection's way to its handler. Its methods are called one at a time.
type delivery struct {
	client *Client
	conn   gateway.ConnectionAdapter
	pin    backend.Pin
	known  bool   // the handler may have heard of the connection
	owed   *event // was waiting when the connection began to close; goes out before the last event
}

// event is a request on its way to a method.
type event struct {
	via     invoker
	request proto.Message
}

// leaver is met by invokers that hold something for a connection until its last event.
type leaver interface{ leave() }

// done frees what d and the invoker of its last event hold.
func (d *delivery) done(last event) {
	d.pin.Release()
	if l, ok := last.via.(leaver); ok {
		l.leave()
	}
}

func newDelivery(c *Client, conn gateway.ConnectionAdapter) delivery {
	return delivery{client: c, conn: conn, pin: c.pool.Pin()}
}

// deliver brings an event to the backend of the connection, as often and as long as OnFailure says. The error is a [gateway.HandlerError].
func (d *delivery) deliver(via invoker, request proto.Message) error {
	e := event{via, request}
	err := d.attempt(e, func() (context.Context, func()) { return d.wait(0) })
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errInterrupted):
		return d.owe(e, errClosing)
	case d.client.onFailure.again(err):
		return d.hold(e, err)
	}
	return err
}

// deliverLast delivers OnSocketClosed. Where it cannot be, it is tried again behind the connection's back, if the handler may have heard of the
// connection.
func (d *delivery) deliverLast(via invoker, request proto.Message) error {
	last := event{via, request}
	if d.owed != nil {
		d.leave(*d.owed, last)
		return nil
	}
	err := d.attempt(last, patiently) // the device is gone: nobody waits for this
	if err != nil && d.known && unreachable(err) {
		d.leave(last)
		return err
	}
	d.done(last)
	return err
}

// leave has the last events delivered when the handler is back.
func (d *delivery) leave(events ...event) {
	d.client.farewells.add(delivery{client: d.client, pin: d.pin, known: true}, events...)
}

// backend is where the connection is pinned; a new one waits for a backend as it would for an answer.
func (d *delivery) backend() (*backend.Backend, error) {
	if b := d.pin.At(); b != nil {
		return b, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), d.client.timeout)
	defer cancel()
	b, err := d.pin.Backend(ctx)
	if err != nil {
		return nil, d.client.failed(nil, "connecting", status.Error(codes.Unavailable, fmt.Sprint(err)), true)
	}
	return b, nil
}
