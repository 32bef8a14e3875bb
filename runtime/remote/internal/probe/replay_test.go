package probe_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/exgate/exgate/runtime/remote/internal/probe"
)

// foreign is how the servers of other languages answered calls without a message, with %[1]s for service/method: grpcio 1.85.1, grpc-js 1.14.7 and
// grpc-java 1.82.0.
type foreign struct {
	name      string
	noMethod  string // UNIMPLEMENTED
	noMessage *status.Status
}

var foreigners = []foreign{
	{
		"grpcio with threads", "Method not found!",
		status.New(codes.Unimplemented, `"b'/%[1]s'" requires exactly one request message.`),
	},
	{"grpcio with asyncio", "Method not found!", nil}, // no answer at all
	{
		"grpc-js", "The server does not implement the method /%[1]s",
		status.New(codes.Unimplemented, "Received no request message for server streaming method /%[1]s"),
	},
	{"grpc-java", "Method not found: %[1]s", status.New(codes.Internal, "Half-closed without a request")},
}

// answer plays the server of a service.
func (f foreign) answer(service string, streams bool) grpc.StreamHandler {
	return func(_ any, s grpc.ServerStream) error {
		full, _ := grpc.MethodFromServerStream(s)
		method := strings.TrimPrefix(full, "/")
		switch {
		case method != service+"/OnReceivedBytes":
			return status.Error(codes.Unimplemented, worded(f.noMethod, method))
		case streams:
			return s.SendMsg(new(emptypb.Empty))
		case f.noMessage == nil:
			<-s.Context().Done()
			return s.Context().Err()
		}
		return status.Error(f.noMessage.Code(), worded(f.noMessage.Message(), method))
	}
}

func worded(text, method string) string {
	if strings.Contains(text, "%") {
		return fmt.Sprintf(text, method)
	}
	return text
}

func TestServersOfOtherLanguages(t *testing.T) {
	for _, f := range foreigners {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			unary := f.answer("emqx.exproto.v1.ConnectionUnaryHandler", false)
			stream := f.answer("emqx.exproto.v1.ConnectionHandler", true)
			expect(t, serve(t, func(*grpc.Server) {}, grpc.UnknownServiceHandler(unary)), probe.Unary, "a call without a message")
			expect(t, serve(t, func(*grpc.Server) {}, grpc.UnknownServiceHandler(stream)), probe.Stream, "a call without a message")
			if f.noMessage != nil { // a server that is silent tells nothing of ConnectionHandler
				v42 := f.answer("emqx.exproto.v1.ConnectionHandler", false)
				expect(t, serve(t, func(*grpc.Server) {}, grpc.UnknownServiceHandler(v42)), probe.UnaryV42, "a call without a message")
			}
		})
	}
}
