package remote_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/remote"
)

// emqxDialects are those of handlers written for EMQX.
var emqxDialects = []remote.Dialect{remote.DialectUnary, remote.DialectStream, remote.DialectUnaryV42}

// serveForm is serveHandler in the form of a dialect.
func serveForm(
	t testing.TB, dialect remote.Dialect, s exproto.ConnectionUnaryHandlerServer, options ...grpc.ServerOption,
) string {
	t.Helper()
	address, _ := serveFormOn(t, "", dialect, s, options...)
	return address
}

func serveFormOn(
	t testing.TB, address string, dialect remote.Dialect, s exproto.ConnectionUnaryHandlerServer,
	options ...grpc.ServerOption,
) (string, func()) {
	t.Helper()
	return serveOn(t, address, func(server *grpc.Server) { registerForm(server, dialect, s) }, options...)
}

// inDialects runs a test in each of the dialects.
func inDialects(t *testing.T, test func(*testing.T, remote.Dialect), dialects ...remote.Dialect) {
	for _, dialect := range dialects {
		t.Run(string(dialect), func(t *testing.T) { test(t, dialect) })
	}
}

func registerForm(server *grpc.Server, dialect remote.Dialect, s exproto.ConnectionUnaryHandlerServer) {
	switch dialect {
	case remote.DialectStream:
		exproto.RegisterConnectionHandlerServer(server, &streaming{handler: s, read: untilEnd})
	case remote.DialectUnaryV42:
		desc := exproto.ConnectionUnaryHandler_ServiceDesc
		desc.ServiceName = exproto.ConnectionHandler_ServiceDesc.ServiceName
		server.RegisterService(&desc, s)
	case remote.DialectSession:
		handlerv1.RegisterSessionHandlerServer(server, &sessionForm{handler: s})
	default:
		exproto.RegisterConnectionUnaryHandlerServer(server, s)
	}
}

// streaming is a handler's service in the form of the stream dialect.
type streaming struct {
	exproto.UnimplementedConnectionHandlerServer
	handler exproto.ConnectionUnaryHandlerServer
	read    reading
}

// reading is how a handler reads its streams: next handles one message, answer ends the stream with EmptySuccess.
type reading func(ctx context.Context, next func() error, answer func() error) error

// untilEnd reads as the demos in Python and Java do.
func untilEnd(_ context.Context, next, answer func() error) error {
	for {
		switch err := next(); {
		case errors.Is(err, io.EOF):
			return answer()
		case err != nil:
			return err
		}
	}
}

func (s *streaming) OnSocketCreated(
	in grpc.ClientStreamingServer[exproto.SocketCreatedRequest, exproto.EmptySuccess],
) error {
	return read(s, in, s.handler.OnSocketCreated)
}

func (s *streaming) OnReceivedBytes(
	in grpc.ClientStreamingServer[exproto.ReceivedBytesRequest, exproto.EmptySuccess],
) error {
	return read(s, in, s.handler.OnReceivedBytes)
}

func (s *streaming) OnTimerTimeout(
	in grpc.ClientStreamingServer[exproto.TimerTimeoutRequest, exproto.EmptySuccess],
) error {
	return read(s, in, s.handler.OnTimerTimeout)
}

func (s *streaming) OnReceivedMessages(
	in grpc.ClientStreamingServer[exproto.ReceivedMessagesRequest, exproto.EmptySuccess],
) error {
	return read(s, in, s.handler.OnReceivedMessages)
}

func (s *streaming) OnSocketClosed(
	in grpc.ClientStreamingServer[exproto.SocketClosedRequest, exproto.EmptySuccess],
) error {
	return read(s, in, s.handler.OnSocketClosed)
}

func read[Request any](
	s *streaming, in grpc.ClientStreamingServer[Request, exproto.EmptySuccess],
	handle func(context.Context, *Request) (*exproto.EmptySuccess, error),
) error {
	return s.read(in.Context(), func() error {
		request, err := in.Recv()
		if err == nil {
			_, err = handle(in.Context(), request)
		}
		return err
	}, func() error { return in.SendAndClose(&exproto.EmptySuccess{}) })
}
