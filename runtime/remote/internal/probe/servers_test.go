package probe_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/proto/exproto"
)

// serve serves the services that register adds and returns a connection to them.
func serve(t *testing.T, register func(*grpc.Server), options ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	register(server)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	return connect(t, l.Addr().String())
}

func connect(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// handler counts the events that it receives. Methods that it lacks are stubs.
type handler struct {
	events *atomic.Int32
	end    func(stream grpc.ServerStream) error // of a stream that is over; nil ends it with a message
}

type unaryHandler struct {
	exproto.UnimplementedConnectionUnaryHandlerServer
	handler
}

func (h unaryHandler) OnReceivedBytes(context.Context, *exproto.ReceivedBytesRequest) (*exproto.EmptySuccess, error) {
	h.events.Add(1)
	return &exproto.EmptySuccess{}, nil
}

type streamHandler struct {
	exproto.UnimplementedConnectionHandlerServer
	handler
}

func (h streamHandler) OnReceivedBytes(
	stream grpc.ClientStreamingServer[exproto.ReceivedBytesRequest, exproto.EmptySuccess],
) error {
	for {
		if _, err := stream.Recv(); err != nil {
			break
		}
		h.events.Add(1)
	}
	if h.end != nil {
		return h.end(stream)
	}
	return stream.SendAndClose(&exproto.EmptySuccess{})
}

type sessionHandler struct {
	handlerv1.UnimplementedSessionHandlerServer
	handler
}

func (h sessionHandler) Session(stream grpc.BidiStreamingServer[handlerv1.GatewayFrame, handlerv1.HandlerFrame]) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return nil
		}
		h.events.Add(1)
		if err := stream.Send(&handlerv1.HandlerFrame{Hello: &handlerv1.HandlerHello{Version: 1}}); err != nil {
			return err
		}
	}
}

// v42 is ConnectionHandler as Enterprise 4.2 had it, with unary methods.
func v42(h handler) *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: exproto.ConnectionHandler_ServiceDesc.ServiceName,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: "OnReceivedBytes",
			Handler: func(
				_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor,
			) (any, error) {
				if err := decode(new(emptypb.Empty)); err != nil {
					return nil, err
				}
				h.events.Add(1)
				return new(emptypb.Empty), nil
			},
		}},
	}
}
