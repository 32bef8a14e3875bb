package remote

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/exgate/exgate/runtime/remote/internal/backend"
)

// invoker is one method of a handler's service in some dialect. It brings one event to a backend and waits as long as the dialect has it wait. The
// error is a [gateway.HandlerError] made by Client.failed.
type invoker interface {
	invoke(to *backend.Backend, request proto.Message) error
}

// delivery is one connection's way to its handler. Its methods are called one at a time.
type delivery struct {
	client *Client
	pin    backend.Pin
}

func newDelivery(c *Client) delivery { return delivery{client: c, pin: c.pool.Pin()} }

// deliver brings an event to the backend of the connection. The error is a [gateway.HandlerError].
func (d *delivery) deliver(via invoker, request proto.Message) error {
	to, err := d.backend()
	if err != nil {
		return err
	}
	return via.invoke(to, request)
}

// deliverLast is deliver for OnSocketClosed.
func (d *delivery) deliverLast(via invoker, request proto.Message) error {
	defer d.pin.Release()
	return d.deliver(via, request)
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
