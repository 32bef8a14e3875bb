package remote

import (
	"context"

	"google.golang.org/grpc"
)

// tracked is an event that notes when gRPC takes it: it does so when it has a connection to send it on.
type tracked struct {
	event any
	sent  bool
}

var unaryOptions = []grpc.CallOption{grpc.ForceCodecV2(eventCodec{})}

// callUnary is callOnce for a method that answers exactly once: it costs less, since gRPC starts no goroutine for the call.
func callUnary(ctx context.Context, rpc grpc.ClientConnInterface, path string, event any) (sent bool, err error) {
	t := &tracked{event: event}
	err = rpc.Invoke(ctx, path, t, nil, unaryOptions...)
	return t.sent, err
}
