package callback

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"

	"github.com/exgate/exgate/runtime/remote/target"
)

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

var protoCodec = encoding.GetCodecV2(proto.Name)

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
