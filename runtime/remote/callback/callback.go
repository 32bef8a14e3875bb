package callback

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/exgate/exgate/runtime/remote/internal/backend"
	"github.com/exgate/exgate/runtime/remote/internal/probe"
	"github.com/exgate/exgate/runtime/remote/target"
)

var _ Invoker = (*callback)(nil)

// callback is one method of a handler's service.
type callback struct {
	caller  *Caller
	method  string
	path    string
	call    calling
	seconds prometheus.Observer
}

// calling is how one event is called with: [callOnce] or [callUnary].
type calling func(ctx context.Context, rpc grpc.ClientConnInterface, path string, event any) (sent bool, err error)

func newCallback(c *Caller, service, method string, call calling) *callback {
	return &callback{
		caller: c, method: method, path: "/" + service + "/" + method, call: call,
		seconds: c.Metrics.CallSeconds.WithLabelValues(c.Name, method),
	}
}

// Invoke makes the RPC and waits for its answer, at most for the client's timeout. The error is a [gateway.HandlerError] or a [refusal].
func (b *callback) Invoke(to *backend.Backend, request proto.Message) error {
	return b.deliver(to, request)
}

// deliver is invoke for an event that may be encoded.
func (b *callback) deliver(to *backend.Backend, request any) error {
	ctx, cancel := context.WithTimeout(context.Background(), b.caller.Timeout)
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
	case target.IsUnprocessed(err):
		return &Refusal{b.method, err}
	case b.caller.probing && b.method == methodNames[methodCreated] && probe.Absent(err):
		return &AbsentError{b.method, err}
	}
	return b.caller.Failed(to, b.method, err, !sent)
}

// AbsentError is the error of an invoker whose method the handler does not have, where another dialect may be tried. It is no failure yet.
type AbsentError struct {
	Method string
	Err    error
}

func (e *AbsentError) Error() string { return e.Method + ": " + e.Err.Error() }
