package doctor_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/cmd/exgate/internal/doctor"
	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

func TestHandlerThatIsWell(t *testing.T) {
	reflects := func(register func(*grpc.Server)) func(*grpc.Server) {
		return func(s *grpc.Server) { register(s); reflection.Register(s) }
	}
	unary, stream := serveGRPC(t, reflects(unaryHandler)), serveGRPC(t, reflects(streamHandler))
	const setting = "listeners.a.handler.grpc"
	expect(t, handled(t, "grpc: %q", unary), doctor.Well, setting, "speaks unary, told by its reflection")
	expect(t, handled(t, "grpc: %q, dialect: auto", stream), doctor.Well, setting, "speaks stream")
	expect(t, handled(t, "grpc: [%q, %q], dialect: auto", "http://"+unary, stream), doctor.Well, setting, "the handler at "+stream+" speaks stream")
	both := serveGRPC(t, reflects(func(s *grpc.Server) { unaryHandler(s); streamHandler(s) }))
	expect(t, handled(t, "grpc: %q, dialect: stream", both), doctor.Well, setting, "speaks unary and stream, told by its reflection")
}

func TestHandlerOfAnotherDialect(t *testing.T) {
	stream := serveGRPC(t, func(s *grpc.Server) { streamHandler(s); reflection.Register(s) })
	expect(t, handled(t, "grpc: %q, dialect: unary", stream), doctor.Problem, "listeners.a.handler.dialect",
		"speaks stream, told by its reflection (grpc.reflection.v1): write dialect: stream, or auto")
}

// A handler without reflection is asked nothing that could harm it, however it answers calls that it does not know.
func TestHandlerWithoutReflection(t *testing.T) {
	for _, code := range []codes.Code{codes.Unimplemented, codes.NotFound, codes.Unknown, codes.Internal, codes.InvalidArgument} {
		var asked []string
		var mu sync.Mutex
		address := serveGRPC(t, func(*grpc.Server) {}, grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			method, _ := grpc.MethodFromServerStream(stream)
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, method)
			return status.Error(code, "no")
		}))
		for _, dialect := range []string{"auto", "unary", "stream", "unary-v42", "session"} {
			expect(t, handled(t, "grpc: %q, dialect: %s", address, dialect), doctor.Well, "listeners.a.handler.grpc", "without reflection")
		}
		mu.Lock()
		for _, method := range asked {
			if !strings.HasPrefix(method, "/grpc.reflection.") {
				t.Errorf("%v: %s was called", code, method)
			}
		}
		mu.Unlock()
	}
}

func TestHandlerAddressThatLeadsElsewhere(t *testing.T) {
	const setting = "listeners.a.handler.grpc"
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	device := listen(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "exgate line protocol. Type login\n")
		_, _ = c.Read(make([]byte, 8))
	})
	closes := listen(t, func(net.Conn) {})
	adapter := serveGRPC(t, func(s *grpc.Server) {
		exproto.RegisterConnectionAdapterServer(s, exproto.UnimplementedConnectionAdapterServer{})
		reflection.Register(s)
	})
	for _, test := range []struct{ address, text string }{
		{gatewaytest.FreeAddress(t), "nothing listens at"},
		{"no..host:9001", "the name in no..host:9001 has no address"},
		{web.Listener.Addr().String(), "is a web server without HTTP/2"},
		{device, "sends no HTTP/2 settings, so it is no gRPC server but perhaps a port for devices"},
		{closes, "sends no HTTP/2 settings"},
		{adapter, "is no handler: it has none of the services"},
	} {
		expect(t, handled(t, "grpc: %q", test.address), doctor.Problem, setting, test.text)
	}
}

func TestHandlerAddressThatIsOurOwn(t *testing.T) {
	for _, bind := range []string{":7993", "0.0.0.0:7993", "127.0.0.1:7993", "localhost:7993"} {
		cfg := configured(t, "listeners: {d: {bind: '"+bind+"', handler: {wasm: builtin:line}}, a: {bind: 127.0.0.1:0, handler: {grpc: '127.0.0.1:7993'}}}")
		found := ""
		for _, f := range doctor.Examine(t.Context(), cfg) {
			if f.Setting == "listeners.a.handler.grpc" {
				found = f.Text
			}
		}
		if want := "127.0.0.1:7993 is where exgate itself listens (listeners.d.bind)"; !strings.HasPrefix(found, want) {
			t.Errorf("bind %s: %s", bind, found)
		}
	}
}

func TestHandlerThatWantsAToken(t *testing.T) {
	refuse := grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return status.Error(codes.Unauthenticated, "no s3cret") })
	address := serveGRPC(t, func(*grpc.Server) {}, refuse)
	expect(t, handled(t, "grpc: %q", address), doctor.Problem, "listeners.a.handler.token_file", "wants a token that the gateway does not send")

	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := handled(t, "grpc: %q, token_file: %q", address, file)
	expect(t, cfg, doctor.Problem, "listeners.a.handler.token_file", "does not take the token in "+file)
	for _, f := range doctor.Examine(t.Context(), cfg) {
		if strings.Contains(f.Text, "s3cret") {
			t.Errorf("a secret is told: %s", f.Text)
		}
	}
}
