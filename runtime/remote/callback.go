package remote

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/exgate/exgate/runtime/remote/internal/backend"
	"github.com/exgate/exgate/runtime/remote/internal/probe"
)

var _ invoker = (*callback)(nil)

// callback is one method of a handler's service.
type callback struct {
	client  *Client
	method  string
	path    string
	call    calling
	seconds prometheus.Observer
}

// calling is how one event is called with: [callOnce] or [callUnary].
type calling func(ctx context.Context, rpc grpc.ClientConnInterface, path string, event any) (sent bool, err error)

func newCallback(c *Client, service, method string, call calling) *callback {
	return &callback{
		client: c, method: method, path: "/" + service + "/" + method, call: call,
		seconds: c.metrics.callSeconds.WithLabelValues(c.name, method),
	}
}

// invoke makes the RPC and waits for its answer, at most for the client's timeout. The error is a [gateway.HandlerError] or a [refusal].
func (b *callback) invoke(to *backend.Backend, request proto.Message) error {
	return b.deliver(to, request)
}

// deliver is invoke for an event that may be encoded.
func (b *callback) deliver(to *backend.Backend, request any) error {
	ctx, cancel := context.WithTimeout(context.Background(), b.client.timeout)
	defer cancel()
	start := time.Now()
	sent, err := b.call(ctx, to.RPC(), b.path, request)
	b.seconds.Observe(time.Since(start).Seconds())
	return b.outcome(to, sent, err)
}

// outcome makes err what invoke returns.
func (b *callback) outcome(to *backend.Backend, sent bool, err error) error {
	switch {
	case err == nil:
		return nil
	case isUnprocessed(err):
		return &refusal{b.method, err}
	case b.client.auto != nil && b.method == methodNames[methodCreated] && probe.Absent(err):
		return &absentError{b.method, err}
	}
	return b.client.failed(to, b.method, err, !sent)
}
