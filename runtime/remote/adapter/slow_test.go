package adapter

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// The connection of a caller that does not complete the handshakes is closed in time; a call whose message does not
// arrive in time ends. Other callers are served meanwhile.
func TestSlowCallers(t *testing.T) {
	a, err := New(Config{handshakeTimeout: 50 * time.Millisecond, receiveTimeout: 50 * time.Millisecond})
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	served := make(chan error, 1)
	go func() { served <- a.Serve(l) }()
	t.Cleanup(func() {
		must(t, a.Stop(context.Background()))
		must(t, <-served)
	})

	for _, said := range []string{"", "PRI * HT", http2.ClientPreface, http2.ClientPreface + "\x00\x00"} {
		conn, err := net.Dial("tcp", l.Addr().String())
		must(t, err)
		_, err = io.WriteString(conn, said)
		must(t, err)
		_, _ = io.Copy(io.Discard, conn) // until the adapter closes it
		must(t, conn.Close())
		expectAnswer(t, l.Addr().String())
	}
	desc := grpc.StreamDesc{ClientStreams: true}
	cc := dial(t, l.Addr().String())
	stream, err := cc.NewStream(t.Context(), &desc, exproto.ConnectionAdapter_Send_FullMethodName,
		grpc.WaitForReady(true)) // on a busy machine the first handshakes may be too late
	must(t, err)
	if code := status.Code(stream.RecvMsg(new(exproto.CodeResponse))); code != codes.DeadlineExceeded {
		t.Errorf("a call without a message ended with %v, want DeadlineExceeded", code)
	}
	expectAnswer(t, l.Addr().String())
}

// expectAnswer makes calls until the adapter answers one: on a busy machine the limits hit good callers too.
func expectAnswer(t *testing.T, address string) {
	t.Helper()
	a := exproto.NewConnectionAdapterClient(dial(t, address))
	gatewaytest.Eventually(t, "the adapter answers", func() bool {
		r, err := a.Send(t.Context(), &exproto.SendBytesRequest{Conn: "nobody"}, grpc.WaitForReady(true))
		return err == nil && r.GetCode() == exproto.ResultCode_CONN_PROCESS_NOT_ALIVE
	})
}

func dial(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	cc, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	t.Cleanup(func() { _ = cc.Close() })
	return cc
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
