package remote_test

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"github.com/exgate/exgate/runtime/remote"
)

// listen opens a loopback port; address "" takes a free one.
func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	if address == "" {
		address = gatewaytest.FreeAddress(t) // which nothing else gets while a server is restarted
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// serveHandler serves s at address and returns the address and a function that stops it.
func serveHandler(
	t testing.TB, address string, s exproto.ConnectionUnaryHandlerServer, options ...grpc.ServerOption,
) (string, func()) {
	t.Helper()
	return serveOn(t, address, func(server *grpc.Server) { exproto.RegisterConnectionUnaryHandlerServer(server, s) },
		options...)
}

// serveOn serves the services that register adds.
func serveOn(t testing.TB, address string, register func(*grpc.Server), options ...grpc.ServerOption) (string, func()) {
	t.Helper()
	server := grpc.NewServer(append([]grpc.ServerOption{grpc.WaitForHandlers(true)}, options...)...)
	register(server)
	l := listen(t, address)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	return l.Addr().String(), server.Stop
}

func newAdapter(t testing.TB, cfg remote.AdapterConfig) *remote.Adapter {
	t.Helper()
	a, err := remote.NewAdapter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// serveAdapter serves an adapter and returns it with its address.
func serveAdapter(t testing.TB, cfg remote.AdapterConfig) (*remote.Adapter, string) {
	t.Helper()
	l := listen(t, "")
	return serveAdapterOn(t, l, cfg), l.Addr().String()
}

func serveAdapterOn(t testing.TB, l net.Listener, cfg remote.AdapterConfig) *remote.Adapter {
	t.Helper()
	a := newAdapter(t, cfg)
	served := make(chan error, 1)
	go func() { served <- a.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = a.Stop(ctx)
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return a
}

// dialAdapter is a handler's side of the adapter.
func dialAdapter(t testing.TB, address string) *grpc.ClientConn {
	t.Helper()
	cc, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(32<<20)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return cc
}

func newClient(t testing.TB, cfg remote.ClientConfig, a *remote.Adapter) *remote.Client {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "demo"
	}
	c, err := remote.NewClient(cfg, a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

func newHandler(t testing.TB, c *remote.Client, d gateway.ConnectionAdapter) gateway.ConnectionHandler {
	t.Helper()
	h, err := c.NewHandler(d)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// opened returns a device whose OnSocketCreated a handler has received, and the adapter as that handler sees it.
func opened(
	t testing.TB, d *device, cfg remote.AdapterConfig,
) (gateway.ConnectionHandler, exproto.ConnectionAdapterClient) {
	t.Helper()
	a, adapterAddress := serveAdapter(t, cfg)
	address, _ := serveHandler(t, "", &script{})
	h := newHandler(t, newClient(t, remote.ClientConfig{Addresses: []string{address}}, a), d)
	must(t, h.OnSocketCreated(gateway.ConnInfo{}))
	return h, exproto.NewConnectionAdapterClient(dialAdapter(t, adapterAddress))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func expect(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got: %s\nwant: %s", what, got, want)
	}
}
