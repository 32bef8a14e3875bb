package callback

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/runtime/remote/target"
)

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
