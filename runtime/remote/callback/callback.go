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

var _ Invoker = (*serviceMethod)(nil)

// serviceMethod is one method of a handler's service.
type serviceMethod struct {
	caller  *Caller
	name    string
	path    string
	call    callFunc
	seconds prometheus.Observer
}

// callFunc is how one event is called with: [callOnce] or [callUnary].
type callFunc func(ctx context.Context, rpc grpc.ClientConnInterface, path string, event any) (sent bool, err error)

func newServiceMethod(c *Caller, service, method string, call callFunc) *serviceMethod {
	return &serviceMethod{
		caller: c, name: method, path: "/" + service + "/" + method, call: call,
		seconds: c.Metrics.CallSeconds.WithLabelValues(c.Name, method),
	}
}

// Invoke makes the RPC and waits for its answer, at most for the client's timeout. The error is a [gateway.HandlerError] or a [refusal].
func (b *serviceMethod) Invoke(to *backend.Backend, request proto.Message) error {
	return b.send(to, request)
}

// send is invoke for an event that may be encoded.
func (b *serviceMethod) send(to *backend.Backend, request any) error {
	ctx, cancel := context.WithTimeout(context.Background(), b.caller.Timeout)
	defer cancel()
	start := time.Now()
	sent, err := b.call(ctx, to.RPC(), b.path, request)
	b.seconds.Observe(time.Since(start).Seconds())
	return b.outcome(to, sent, err)
}

// outcome makes err what invoke returns.
func (b *serviceMethod) outcome(to *backend.Backend, sent bool, err error) error {
	switch {
	case err == nil:
		return nil
	case target.IsUnprocessed(err):
		return &Refusal{b.name, err}
	case b.caller.probing && b.name == methodNames[createdEvent] && probe.Absent(err):
		return &AbsentError{b.name, err}
	}
	return b.caller.Failed(to, b.name, err, !sent)
}

// AbsentError is the error of an invoker whose method the handler does not have, where another dialect may be tried. It is no failure yet.
type AbsentError struct {
	Method string
	Err    error
}

func (e *AbsentError) Error() string { return e.Method + ": " + e.Err.Error() }
