package doctor_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/cmd/exgate/internal/doctor"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

func TestHandlerThatIsWell(t *testing.T) {
	unary, stream := serveGRPC(t, unaryHandler), serveGRPC(t, streamHandler)
	const setting = "listeners.a.handler.grpc"
	expect(t, handled(t, "grpc: %q", unary), doctor.Well, setting, unary+" speaks HTTP/2")
	expect(t, handled(t, "grpc: [%q, %q], dialect: auto", "http://"+unary, stream), doctor.Well, setting,
		stream+" speaks HTTP/2")
	expect(t, handled(t, "grpc: %q, dialect: stream", stream), doctor.Well, setting,
		"whether it is a handler that speaks stream shows with the first device")
}

// No method is called, not even reflection: some handlers exit at a method that EMQX never called.
func TestHandlersAreNotCalled(t *testing.T) {
	var calls atomic.Int32
	address := serveGRPC(t, func(*grpc.Server) {},
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			calls.Add(1)
			return status.Error(codes.Unimplemented, "no")
		}))
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dialect := range []string{"auto", "unary", "stream", "unary-v42", "session"} {
		expect(t, handled(t, "grpc: %q, token_file: %q, dialect: %s", address, token, dialect), doctor.Well,
			"listeners.a.handler.grpc", "speaks HTTP/2")
	}
	if n := calls.Load(); n != 0 {
		t.Errorf("%d calls", n)
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
	for _, test := range []struct{ address, text string }{
		{gatewaytest.FreeAddress(t), "nothing listens on"},
		{"no..host:9001", "cannot resolve the name in no..host:9001"},
		{web.Listener.Addr().String(), "is a web server without HTTP/2"},
		{device, "does not speak HTTP/2, so it is not a gRPC server; it may be a port for devices"},
		{closes, "does not speak HTTP/2"},
	} {
		expect(t, handled(t, "grpc: %q", test.address), doctor.Problem, setting, test.text)
	}
}

func TestHandlerAddressThatIsOurOwn(t *testing.T) {
	for _, bind := range []string{":7993", "0.0.0.0:7993", "127.0.0.1:7993", "localhost:7993"} {
		cfg := configured(t, "listeners: {d: {bind: '"+bind+
			"', handler: {wasm: builtin:line}}, a: {bind: 127.0.0.1:0, handler: {grpc: '127.0.0.1:7993'}}}")
		found := ""
		for _, f := range doctor.Examine(t.Context(), cfg) {
			if f.Setting == "listeners.a.handler.grpc" {
				found = f.Text
			}
		}
		if want := "127.0.0.1:7993 is an address of exgate itself (listeners.d.bind)"; !strings.HasPrefix(found, want) {
			t.Errorf("bind %s: %s", bind, found)
		}
	}
}
