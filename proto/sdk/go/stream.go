package handler

import (
	"errors"
	"io"

	"google.golang.org/grpc"

	"github.com/exgate/exgate/proto/exproto"
)

// streamCallbacks serves the dialect stream: any number of events per RPC.
type streamCallbacks struct {
	exproto.UnimplementedConnectionHandlerServer
	*callbacks
}

// each runs callback for every event of a stream.
func each[Request any](
	stream grpc.ClientStreamingServer[Request, exproto.EmptySuccess], callback func(*Request),
) error {
	for {
		r, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return stream.SendAndClose(&exproto.EmptySuccess{})
		case err != nil:
			return err
		}
		callback(r)
	}
}

func (s streamCallbacks) OnSocketCreated(
	stream grpc.ClientStreamingServer[exproto.SocketCreatedRequest, exproto.EmptySuccess],
) error {
	return each(stream, s.created)
}

func (s streamCallbacks) OnSocketClosed(
	stream grpc.ClientStreamingServer[exproto.SocketClosedRequest, exproto.EmptySuccess],
) error {
	return each(stream, s.closed)
}

func (s streamCallbacks) OnReceivedBytes(
	stream grpc.ClientStreamingServer[exproto.ReceivedBytesRequest, exproto.EmptySuccess],
) error {
	return each(stream, s.bytes)
}

func (s streamCallbacks) OnTimerTimeout(
	stream grpc.ClientStreamingServer[exproto.TimerTimeoutRequest, exproto.EmptySuccess],
) error {
	return each(stream, s.timer)
}

func (s streamCallbacks) OnReceivedMessages(
	stream grpc.ClientStreamingServer[exproto.ReceivedMessagesRequest, exproto.EmptySuccess],
) error {
	return each(stream, s.messages)
}
