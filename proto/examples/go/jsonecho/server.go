// Package jsonecho is a handler for EMQX's ExProto contract in Go: the JSON echo protocol as a gRPC server. It shows what a handler needs: serve
// ConnectionUnaryHandler, and call the gateway's ConnectionAdapter from inside the callbacks.
package jsonecho

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/wasm-examples/jsonecho/handler"
)

// Server is the handler of any number of gateways' connections.
type Server struct {
	exproto.UnimplementedConnectionUnaryHandlerServer

	rpc     *grpc.ClientConn
	adapter exproto.ConnectionAdapterClient
	server  *grpc.Server
	log     *slog.Logger
	devices sync.Map // conn, a string, to *device
}

// New makes a server that calls the adapter of the gateway at adapterAddr, as host:port. It connects when it is first needed.
func New(adapterAddr string) (*Server, error) {
	rpc, err := grpc.NewClient(adapterAddr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("calling the adapter at %s: %w", adapterAddr, err)
	}
	s := &Server{
		rpc: rpc, adapter: exproto.NewConnectionAdapterClient(rpc), log: slog.Default(),
		server: grpc.NewServer(grpc.WaitForHandlers(true)),
	}
	exproto.RegisterConnectionUnaryHandlerServer(s.server, s)
	return s, nil
}

// Serve answers callbacks on l until Stop.
func (s *Server) Serve(l net.Listener) error {
	if err := s.server.Serve(l); err != nil {
		return fmt.Errorf("serving the handler: %w", err)
	}
	return nil
}

// Stop ends Serve, cancels the callbacks under way and closes the connection to the adapter.
func (s *Server) Stop() error {
	s.server.Stop()
	return s.rpc.Close()
}

// OnSocketCreated begins a connection.
func (s *Server) OnSocketCreated(_ context.Context, r *exproto.SocketCreatedRequest) (*exproto.EmptySuccess, error) {
	d := &device{server: s, conn: r.GetConn()}
	d.echo = handler.New(d)
	s.devices.Store(d.conn, d)
	return &exproto.EmptySuccess{}, nil
}

// OnSocketClosed forgets a connection.
func (s *Server) OnSocketClosed(_ context.Context, r *exproto.SocketClosedRequest) (*exproto.EmptySuccess, error) {
	s.devices.Delete(r.GetConn())
	return &exproto.EmptySuccess{}, nil
}

// OnReceivedBytes handles frames; their calls of the adapter are made before it returns.
func (s *Server) OnReceivedBytes(ctx context.Context, r *exproto.ReceivedBytesRequest) (*exproto.EmptySuccess, error) {
	s.with(ctx, r.GetConn(), func(h *handler.Handler) { h.Receive(r.GetBytes()) })
	return &exproto.EmptySuccess{}, nil
}

// OnTimerTimeout says goodbye.
func (s *Server) OnTimerTimeout(ctx context.Context, r *exproto.TimerTimeoutRequest) (*exproto.EmptySuccess, error) {
	s.with(ctx, r.GetConn(), (*handler.Handler).Timeout)
	return &exproto.EmptySuccess{}, nil
}

// OnReceivedMessages hands messages to the device.
func (s *Server) OnReceivedMessages(ctx context.Context, r *exproto.ReceivedMessagesRequest) (*exproto.EmptySuccess, error) {
	s.with(ctx, r.GetConn(), func(h *handler.Handler) {
		for _, m := range r.GetMessages() {
			h.Deliver(m.GetTopic(), m.GetQos(), m.GetPayload())
		}
	})
	return &exproto.EmptySuccess{}, nil
}

// with runs f for a connection that is known. The gateway has one callback of a connection in flight at a time, so there is no lock.
func (s *Server) with(ctx context.Context, conn string, f func(*handler.Handler)) {
	v, ok := s.devices.Load(conn)
	if !ok {
		return
	}
	d := v.(*device)
	d.ctx = ctx
	f(d.echo)
	d.ctx = nil
}
