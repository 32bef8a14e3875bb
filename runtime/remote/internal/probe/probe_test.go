package probe_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/remote/internal/probe"
)

// expect compares the dialects, separated by spaces.
func expect(t *testing.T, conn *grpc.ClientConn, dialects, how string) {
	t.Helper()
	f, err := probe.Find(t.Context(), conn)
	if err != nil || strings.Join(f.Dialects, " ") != dialects || !strings.Contains(f.How, how) {
		t.Errorf("found %+v, %v; want %s by %s", f, err, dialects, how)
	}
}

// goServers are handlers in Go, with what they serve.
func goServers(h handler) []struct {
	dialects string
	register func(*grpc.Server)
} {
	unary := func(s *grpc.Server) { exproto.RegisterConnectionUnaryHandlerServer(s, unaryHandler{handler: h}) }
	stream := func(s *grpc.Server) { exproto.RegisterConnectionHandlerServer(s, streamHandler{handler: h}) }
	session := func(s *grpc.Server) { handlerv1.RegisterSessionHandlerServer(s, sessionHandler{handler: h}) }
	return []struct {
		dialects string
		register func(*grpc.Server)
	}{
		{probe.Unary, unary},
		{probe.Stream, stream},
		{probe.Session, session},
		{probe.UnaryV42, func(s *grpc.Server) { s.RegisterService(v42(h), h) }},
		{"session unary stream", func(s *grpc.Server) { stream(s); unary(s); session(s) }},
		{"unary stream", func(s *grpc.Server) { stream(s); unary(s) }},
		{probe.Stream, func(s *grpc.Server) { // every method is a stub
			exproto.RegisterConnectionHandlerServer(s, exproto.UnimplementedConnectionHandlerServer{})
		}},
	}
}

// A server without reflection is inconclusive unless it speaks in sessions. No other method is called.
func TestGoServersWithoutReflection(t *testing.T) {
	h := handler{events: new(atomic.Int32)}
	for _, s := range goServers(h) {
		var called sync.Map
		conn := serve(t, s.register,
			grpc.StreamInterceptor(
				func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
					called.Store(info.FullMethod, true)
					return next(srv, stream)
				}), grpc.UnaryInterceptor(
				func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
					t.Error("a unary method was called")
					return nil, nil
				}))
		if f, err := probe.Find(t.Context(), conn); err != nil || f.Dialects != nil {
			t.Errorf("%s: found %+v, %v", s.dialects, f, err)
		}
		f, err := probe.FindSession(t.Context(), conn)
		if err != nil || (f.Dialects != nil) != strings.Contains(s.dialects, probe.Session) {
			t.Errorf("%s: found %+v, %v", s.dialects, f, err)
		}
		called.Delete("/exgate.handler.v1.SessionHandler/Session")
		called.Range(func(method, _ any) bool { t.Errorf("%s: %v was called", s.dialects, method); return true })
	}
	if n := h.events.Load(); n != 2 { // the hellos
		t.Errorf("handlers saw %d events", n)
	}
}

func TestReflection(t *testing.T) {
	h := handler{events: new(atomic.Int32)}
	for _, s := range goServers(h) {
		if s.dialects == probe.UnaryV42 {
			continue // its file has been registered with streams: see TestReflectionOfV42
		}
		register := s.register
		expect(t, serve(t, func(s *grpc.Server) { register(s); reflection.RegisterV1(s) }), s.dialects,
			"reflection (grpc.reflection.v1)")
		expect(t, serve(t, func(s *grpc.Server) { register(s); registerV1Alpha(s) }), s.dialects,
			"reflection (grpc.reflection.v1alpha)")
	}
}

func TestServerWithoutHandler(t *testing.T) {
	adapter := func(s *grpc.Server) {
		exproto.RegisterConnectionAdapterServer(s, exproto.UnimplementedConnectionAdapterServer{})
	}
	const services = "emqx.exproto.v1.ConnectionAdapter"
	_, err := probe.Find(t.Context(), serve(t, func(s *grpc.Server) { adapter(s); reflection.Register(s) }))
	var none *probe.NotServedError
	if !errors.As(err, &none) || strings.Join(none.Services, " ") != services ||
		!strings.Contains(err.Error(), services) {
		t.Errorf("%v, want the services %q", err, services)
	}
}

func TestServerThatIsDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if _, err := probe.Find(t.Context(), connect(t, l.Addr().String())); status.Code(err) != codes.Unavailable {
		t.Error(err)
	}
}

func TestServerThatAnswersEverythingAlike(t *testing.T) {
	for _, want := range []codes.Code{codes.OK, codes.Unauthenticated, codes.PermissionDenied} {
		conn := serve(t, func(*grpc.Server) {},
			grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return status.Error(want, "no") }))
		f, err := probe.FindSession(t.Context(), conn)
		if status.Code(err) != want || f.Dialects != nil {
			t.Errorf("%v: found %+v, %v", want, f, err)
		}
	}
}

// How servers answer a call of a method that they lack, and answers that only look like it.
func TestAbsent(t *testing.T) {
	for _, test := range []struct {
		server string
		code   codes.Code
		text   string
		absent bool
	}{
		{"grpc-go", codes.Unimplemented, "unknown service emqx.exproto.v1.ConnectionUnaryHandler", true},
		{"grpcio", codes.Unimplemented, "Method not found!", true},
		{
			"grpc-java", codes.Unimplemented,
			"Method not found: emqx.exproto.v1.ConnectionUnaryHandler/OnSocketCreated", true,
		},
		{
			"grpc-js", codes.Unimplemented,
			"The server does not implement the method /emqx.exproto.v1.ConnectionUnaryHandler/OnSocketCreated", true,
		},
		{"Kestrel", codes.Unimplemented, "Service is unimplemented.", true},
		{"tonic, grpc-swift", codes.Unimplemented, "", true},
		{"grpc-erl 0.6.2 to 0.7.2", codes.NotFound, "", true},
		{
			"HTTP 404 of a proxy", codes.Unimplemented,
			"unexpected HTTP status code received from server: 404 (Not Found)", true,
		},
		{"HTTP 405", codes.Unknown, "unexpected HTTP status code received from server: 405 (Method Not Allowed)", true},
		{
			"HTTP 415", codes.Unknown,
			"unexpected HTTP status code received from server: 415 (Unsupported Media Type)", true,
		},
		{"a router of its own", codes.Unknown, "Unknown method: OnSocketCreated", true},
		{"a router of its own", codes.Internal, "no such service", true},
		{"HTTP 502", codes.Unavailable, "unexpected HTTP status code received from server: 502 (Bad Gateway)", false},
		{"an exception", codes.Unknown, "Exception calling application: 'NoneType'", false},
		{"an exception", codes.Internal, "boom", false},
		{"a guard", codes.Unauthenticated, "unknown method", false},
	} {
		if got := probe.Absent(status.Error(test.code, test.text)); got != test.absent {
			t.Errorf("%s: %v %q: %v", test.server, test.code, test.text, got)
		}
	}
	if probe.Absent(nil) {
		t.Error("no error is one")
	}
}

func TestFindEndsWithItsContext(t *testing.T) {
	conn := serve(t, func(*grpc.Server) {}, grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		<-s.Context().Done()
		return s.Context().Err()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if f, err := probe.Find(ctx, conn); err == nil {
		t.Errorf("found %+v", f)
	}
}
