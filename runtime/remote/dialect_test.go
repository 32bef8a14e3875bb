package remote_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote"
)

// A handler that lacks the dialect's methods fails each connection, and the log names the setting and what to try.
func TestHandlerOfAnotherDialect(t *testing.T) {
	for dialect, serves := range map[remote.Dialect]struct {
		form remote.Dialect
		try  string
	}{
		remote.DialectUnary:    {remote.DialectStream, "need stream"},
		remote.DialectStream:   {remote.DialectUnary, "need unary"},
		remote.DialectUnaryV42: {remote.DialectUnary, "need unary"},
	} {
		var log journal
		a, _ := serveAdapter(t, remote.AdapterConfig{})
		address := serveForm(t, serves.form, &script{})
		h := newHandler(t,
			newClient(t, remote.ClientConfig{Addresses: []string{address}, Dialect: dialect, Logger: log.logger()}, a),
			newDevice("c1"))
		expectReason(t, h.OnSocketCreated(gateway.ConnInfo{}), gateway.ReasonHandlerFailed)
		for _, part := range []string{"the setting dialect: it is " + string(dialect), serves.try} {
			if !strings.Contains(log.String(), part) {
				t.Errorf("%s: the log does not say %q: %s", dialect, part, &log)
			}
		}
	}
}

// The answer of a handler is its status: handlers in the field answer with whatever message was at hand.
func TestHandlerThatAnswersWithAnotherMessage(t *testing.T) {
	for _, dialect := range emqxDialects {
		name, times := exproto.ConnectionHandler_ServiceDesc.ServiceName, 3
		if dialect == remote.DialectUnary {
			// no gRPC library lets a unary method answer more often
			name, times = exproto.ConnectionUnaryHandler_ServiceDesc.ServiceName, 1
		}
		address, _ := serveOn(t, "", func(s *grpc.Server) { s.RegisterService(wrongAnswers(name, times), nil) })
		a, _ := serveAdapter(t, remote.AdapterConfig{})
		h := newHandler(t, newClient(t, remote.ClientConfig{Addresses: []string{address}, Dialect: dialect}, a),
			newDevice("c1"))
		must(t, h.OnSocketCreated(gateway.ConnInfo{}))
		must(t, h.OnReceivedBytes([]byte("x")))
		must(t, h.OnSocketClosed(gateway.ReasonNormal))
	}
}

// wrongAnswers is a service whose methods answer with the message that they received, several times.
func wrongAnswers(name string, times int) *grpc.ServiceDesc {
	desc := &grpc.ServiceDesc{ServiceName: name}
	for _, method := range []string{"OnSocketCreated", "OnReceivedBytes", "OnSocketClosed"} {
		desc.Streams = append(desc.Streams, grpc.StreamDesc{
			StreamName: method, ClientStreams: true, ServerStreams: true,
			Handler: func(_ any, stream grpc.ServerStream) error {
				request := new(exproto.ReceivedBytesRequest) // every event has this form on the wire
				if err := stream.RecvMsg(request); err != nil {
					return err
				}
				for range times {
					if err := stream.SendMsg(request); err != nil {
						return err
					}
				}
				return nil
			},
		})
	}
	return desc
}
