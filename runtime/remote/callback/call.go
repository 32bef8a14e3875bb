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

// callFunc makes one call: [callOnce] or [callUnary].
type callFunc func(ctx context.Context, rpc grpc.ClientConnInterface, path string, event any) (sent bool, err error)

func newServiceMethod(c *Caller, service, method string, call callFunc) *serviceMethod {
	return &serviceMethod{
		caller: c, name: method, path: "/" + service + "/" + method, call: call,
		seconds: c.Metrics.CallSeconds.WithLabelValues(c.Name, method),
	}
}

// Invoke calls the method and waits for the answer, at most for the handler's timeout. The error is a
// [gateway.HandlerError], a [Refusal] or an [AbsentError].
func (b *serviceMethod) Invoke(to *backend.Backend, request proto.Message) error {
	return b.send(to, request)
}

// send is Invoke for an event that may be encoded already.
func (b *serviceMethod) send(to *backend.Backend, request any) error {
	ctx, cancel := context.WithTimeout(context.Background(), b.caller.Timeout)
	defer cancel()
	start := time.Now()
	sent, err := b.call(ctx, to.RPC(), b.path, request)
	b.seconds.Observe(time.Since(start).Seconds())
	return b.outcome(to, sent, err)
}

// outcome converts err to the error of Invoke.
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

// AbsentError is the error of an [Invoker] if the handler lacks the method but may speak another dialect. It does not
// count as a failure yet.
type AbsentError struct {
	Method string
	Err    error
}

func (e *AbsentError) Error() string { return e.Method + ": " + e.Err.Error() }

// oneEvent is a call that ends after one message: unary and client-streaming methods cannot tell it from a call of
// their own kind. The answer may have any number of messages, because handlers end streams with one, with none, or with
// messages of another type.
var oneEvent = grpc.StreamDesc{ServerStreams: true}

// callOnce calls path with one event, a proto message or [encoded], and waits for the end of the answer. sent says that
// the event may have reached the handler.
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

// openStream opens a stream that gRPC does not retry by itself. If a retry were refused before its message was written,
// the stream would end like one that the server accepted.
func openStream(
	ctx context.Context, rpc grpc.ClientConnInterface, desc *grpc.StreamDesc, path string,
) (grpc.ClientStream, error) {
	stream, err := rpc.NewStream(ctx, desc, path, forceEventCodec)
	if err == nil {
		_ = stream.Context() // commits the call to its first attempt
	}
	return stream, err
}

// awaitEnd reads the answer of a call to its end. The error wraps a [target.UnprocessedError] if the server did not
// begin the call.
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

// encoded is an event in wire format.
type encoded []byte

// eventCodec encodes like gRPC's own codec and ignores answers: the answer of a callback is its status. Its name is
// empty to keep the content type application/grpc, which is what EMQX sends.
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

// tracked notes that gRPC encodes the event, which it does once it has a connection to send it on.
type tracked struct {
	event           any
	sent            bool
	header, trailer metadata.MD
}

// callUnary is callOnce for a method that answers exactly once. It costs less, since gRPC starts no goroutine for the
// call.
func callUnary(ctx context.Context, rpc grpc.ClientConnInterface, path string, event any) (sent bool, err error) {
	t := &tracked{event: event}
	err = rpc.Invoke(ctx, path, t, nil, forceEventCodec, grpc.HeaderCallOption{HeaderAddr: &t.header},
		grpc.TrailerCallOption{TrailerAddr: &t.trailer})
	switch {
	case err == nil:
	// from SendMsg: the stream ended before the event was written, and Invoke does not look why
	case errors.Is(err, io.EOF):
		err = &target.UnprocessedError{Err: errEnded}
	default:
		err = target.MarkUnprocessed(err, t.header, t.trailer)
	}
	return t.sent && !target.IsUnprocessed(err), err
}

var errEnded = status.Error(codes.Unavailable, "the server ended the call before the event was sent")

var forceEventCodec = grpc.ForceCodecV2(eventCodec{})
