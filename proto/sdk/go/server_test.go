package handler_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exproto"
	handler "github.com/exgate/exgate/proto/sdk/go"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve serves handlers until the test ends.
func serve(t *testing.T, cfg handler.Config) string {
	t.Helper()
	server, err := handler.New(cfg)
	must(t, err)
	return serveOn(t, server.Serve, server.Stop)
}

func serveOn(t *testing.T, serve func(net.Listener) error, stop func() error) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	served := make(chan error, 1)
	go func() { served <- serve(l) }()
	t.Cleanup(func() {
		must(t, stop())
		must(t, <-served)
	})
	return l.Addr().String()
}

func dial(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	rpc, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	t.Cleanup(func() { _ = rpc.Close() })
	return rpc
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// adapter is a gateway's adapter that reports what is sent, and the token it received.
type adapter struct {
	exproto.UnimplementedConnectionAdapterServer
	calls chan string
}

func (a *adapter) Send(ctx context.Context, r *exproto.SendBytesRequest) (*exproto.CodeResponse, error) {
	token := metadata.ValueFromIncomingContext(ctx, "authorization")
	a.calls <- "send " + r.GetConn() + " " + string(r.GetBytes()) + " " + strings.Join(token, "")
	return &exproto.CodeResponse{}, nil
}

func (a *adapter) Close(_ context.Context, r *exproto.CloseSocketRequest) (*exproto.CodeResponse, error) {
	a.calls <- "close " + r.GetConn()
	return &exproto.CodeResponse{}, nil
}

func (a *adapter) Subscribe(context.Context, *exproto.SubscribeRequest) (*exproto.CodeResponse, error) {
	return &exproto.CodeResponse{Code: exproto.ResultCode_PERMISSION_DENY, Message: "no"}, nil
}

func serveAdapter(t *testing.T) (*adapter, string) {
	t.Helper()
	a := &adapter{calls: make(chan string, 10)}
	server := grpc.NewServer()
	exproto.RegisterConnectionAdapterServer(server, a)
	return a, serveOn(t, server.Serve, func() error { server.Stop(); return nil })
}

func TestUnaryCallsTheAdapter(t *testing.T) {
	a, adapterAddress := serveAdapter(t)
	address, said := serveEcho(t, handler.Config{Adapter: adapterAddress, AdapterToken: "secret"})
	gateway := exproto.NewConnectionUnaryHandlerClient(dial(t, address))
	_, err := gateway.OnSocketCreated(t.Context(), &exproto.SocketCreatedRequest{Conn: "c1"})
	must(t, err)
	tell := func(s string) {
		_, err := gateway.OnReceivedBytes(t.Context(), &exproto.ReceivedBytesRequest{Conn: "c1", Bytes: []byte(s)})
		must(t, err)
	}
	tell("hello")
	expect(t, "call", <-a.calls, "send c1 hello Bearer secret")
	tell("panic")
	expect(t, "call", <-a.calls, "close c1")
	tell("subscribe")
	expect(t, "told", said.await(1), "c1 subscribed: PERMISSION_DENY: no")
	tell("with")
	const told = "c1 subscribed: PERMISSION_DENY: no\n" +
		"c1 with: PARAMS_TYPE_ERROR: this dialect has no properties: use session"
	expect(t, "told", said.await(1), told)
	_, err = gateway.OnSocketClosed(t.Context(), &exproto.SocketClosedRequest{Conn: "c1", Reason: "normal"})
	must(t, err)
	expect(t, "told", said.await(1), told+"\nc1 closed normal, then <nil>")
}

// A connection that the process does not know comes from a gateway that held it.
func TestUnaryResumes(t *testing.T) {
	a, adapterAddress := serveAdapter(t)
	address, said := serveEcho(t, handler.Config{Adapter: adapterAddress})
	gateway := exproto.NewConnectionUnaryHandlerClient(dial(t, address))
	_, err := gateway.OnReceivedBytes(t.Context(), &exproto.ReceivedBytesRequest{Conn: "c1", Bytes: []byte("hello")})
	must(t, err)
	expect(t, "call", <-a.calls, "send c1 hello ")
	expect(t, "told", said.await(1), "c1 resumed")
}

func TestStreamKeepsTheOrder(t *testing.T) {
	a, adapterAddress := serveAdapter(t)
	address, _ := serveEcho(t, handler.Config{Adapter: adapterAddress})
	stream, err := exproto.NewConnectionHandlerClient(dial(t, address)).OnReceivedBytes(t.Context())
	must(t, err)
	for _, s := range []string{"1", "2", "3"} {
		must(t, stream.Send(&exproto.ReceivedBytesRequest{Conn: "c1", Bytes: []byte(s)}))
	}
	_, err = stream.CloseAndRecv()
	must(t, err)
	for _, s := range []string{"1", "2", "3"} {
		expect(t, "call", <-a.calls, "send c1 "+s+" ")
	}
}

func TestUnaryV42(t *testing.T) {
	a, adapterAddress := serveAdapter(t)
	address, _ := serveEcho(t, handler.Config{Adapter: adapterAddress, UnaryV42: true})
	request := &exproto.ReceivedBytesRequest{Conn: "c1", Bytes: []byte("x")}
	must(t, dial(t, address).Invoke(t.Context(), exproto.ConnectionHandler_OnReceivedBytes_FullMethodName, request,
		&exproto.EmptySuccess{}))
	expect(t, "call", <-a.calls, "send c1 x ")
}

func TestToken(t *testing.T) {
	address, _ := serveEcho(t, handler.Config{Token: "secret"})
	health := grpc_health_v1.NewHealthClient(dial(t, address))
	for _, test := range []struct {
		token string
		want  codes.Code
	}{{"", codes.Unauthenticated}, {"Bearer wrong", codes.Unauthenticated}, {"Bearer secret", codes.OK}} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", test.token)
		_, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		expect(t, "status with "+test.token, status.Code(err), test.want)
		if strings.Contains(status.Convert(err).Message(), "secret") {
			t.Error("the error tells the token")
		}
	}
}

func TestNewWantsAHandler(t *testing.T) {
	if _, err := handler.New(handler.Config{}); err == nil || !strings.Contains(err.Error(), "Config.New") {
		t.Error(err)
	}
}
