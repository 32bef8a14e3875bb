package probe_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
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

// expect wants dialects, with spaces between them.
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

func TestGoServersWithoutReflection(t *testing.T) {
	h := handler{events: new(atomic.Int32)}
	for _, s := range goServers(h) {
		expect(t, serve(t, s.register), s.dialects, "a call without a message")
	}
	if n := h.events.Load(); n != 0 {
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
		expect(t, serve(t, func(s *grpc.Server) { register(s); reflection.RegisterV1(s) }), s.dialects, "reflection (grpc.reflection.v1)")
		expect(t, serve(t, func(s *grpc.Server) { register(s); registerV1Alpha(s) }), s.dialects, "reflection (grpc.reflection.v1alpha)")
	}
}

func TestStreamsThatEndInTheirOwnWay(t *testing.T) {
	for _, end := range []func(grpc.ServerStream) error{
		func(grpc.ServerStream) error { return nil },
		func(grpc.ServerStream) error { return io.EOF },
		func(grpc.ServerStream) error { return status.Error(codes.InvalidArgument, "nothing came") },
		func(s grpc.ServerStream) error { <-s.Context().Done(); return nil },
	} {
		h := handler{events: new(atomic.Int32), end: end}
		expect(t, serve(t, func(s *grpc.Server) { exproto.RegisterConnectionHandlerServer(s, streamHandler{handler: h}) }), probe.Stream, "a call without")
	}
}

func TestServerWithoutHandler(t *testing.T) {
	adapter := func(s *grpc.Server) {
		exproto.RegisterConnectionAdapterServer(s, exproto.UnimplementedConnectionAdapterServer{})
	}
	for _, test := range []struct {
		register func(*grpc.Server)
		services string
	}{
		{adapter, ""},
		{func(s *grpc.Server) { adapter(s); reflection.Register(s) }, "emqx.exproto.v1.ConnectionAdapter"},
	} {
		_, err := probe.Find(t.Context(), serve(t, test.register))
		var none *probe.NotServedError
		if !errors.As(err, &none) || strings.Join(none.Services, " ") != test.services || !strings.Contains(err.Error(), test.services) {
			t.Errorf("%v, want the services %q", err, test.services)
		}
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
		conn := serve(t, func(*grpc.Server) {}, grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return status.Error(want, "no") }))
		f, err := probe.Find(t.Context(), conn)
		if err == nil || want != codes.OK && status.Code(err) != want {
			t.Errorf("%v: found %+v, %v", want, f, err)
		}
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
