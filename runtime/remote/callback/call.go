package callback

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
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

// oneEvent is a call with one message that ends with it: a unary method and a client-streaming one cannot tell it from their own. The answer may
// have any number of messages, since handlers end streams with one, with none, and with messages of another type.
var oneEvent = grpc.StreamDesc{ServerStreams: true}

// callOnce calls path with one event, a proto message or [encoded], and waits for the end of the answer. sent says that the event may have reached
// the handler.
func callOnce(ctx context.Context, rpc grpc.ClientConnInterface, path string, event any) (sent bool, err error) {
	stream, err := openStream(ctx, rpc, &oneEvent, path)
	if err != nil {
		return false, err
	}
	if err := stream.SendMsg(event); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	err = awaitEnd(stream)
	return !target.IsUnprocessed(err), err
}

// openStream opens a stream that gRPC does not repeat by itself: where the second try is refused before its message was written, the stream would end like
// one that the server took.
func openStream(ctx context.Context, rpc grpc.ClientConnInterface, desc *grpc.StreamDesc, path string) (grpc.ClientStream, error) {
	stream, err := rpc.NewStream(ctx, desc, path, forceEventCodec)
	if err == nil {
		_ = stream.Context() // commits the call to its first try
	}
	return stream, err
}

// awaitEnd reads the answer of a call to its end. It returns nil where that is OK, and [unprocessed] where the server did not begin the call.
func awaitEnd(stream grpc.ClientStream) error {
	for {
		switch err := stream.RecvMsg(nil); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return target.MarkUnprocessedStream(stream, err)
		}
	}
}

// encoded is an event as it goes over the wire.
type encoded []byte

// eventCodec is gRPC's own for what is sent, and does not look at answers: a callback's answer is its status. Its name is empty so that the
// content type stays application/grpc, which is what EMQX sends.
type eventCodec struct{}

var _ encoding.CodecV2 = eventCodec{}

var protoCodec = encoding.GetCodecV2(grpcproto.Name)

func (eventCodec) Marshal(v any) (mem.BufferSlice, error) {
	if t, ok := v.(*tracked); ok {
		t.sent = true
		v = t.event
	}
	if e, ok := v.(encoded); ok {
		return mem.BufferSlice{mem.SliceBuffer(e)}, nil
	}
	return protoCodec.Marshal(v)
}

func (eventCodec) Unmarshal(mem.BufferSlice, any) error { return nil }

func (eventCodec) Name() string { return "" }

// tracked is an event that notes when gRPC takes it: it does so when it has a connection to send it on.
type tracked struct {
	event           any
	sent            bool
	header, trailer metadata.MD
}

// callUnary is callOnce for a method that answers exactly once: it costs less, since gRPC starts no goroutine for the call.
func callUnary(ctx context.Context, rpc grpc.ClientConnInterface, path string, event any) (sent bool, err error) {
	t := &tracked{event: event}
	err = rpc.Invoke(ctx, path, t, nil, forceEventCodec, grpc.HeaderCallOption{HeaderAddr: &t.header}, grpc.TrailerCallOption{TrailerAddr: &t.trailer})
	switch {
	case err == nil:
	case errors.Is(err, io.EOF): // of SendMsg: the stream had ended before the event was written to it, and Invoke does not look why
		err = &target.UnprocessedError{Err: errEnded}
	default:
		err = target.MarkUnprocessed(err, t.header, t.trailer)
	}
	return t.sent && !target.IsUnprocessed(err), err
}

var errEnded = status.Error(codes.Unavailable, "the server ended the call before the event was sent")

var forceEventCodec = grpc.ForceCodecV2(eventCodec{})
