package handler

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	handlerv1 "github.com/exgate/exgate/proto/exgate/handler/v1"
	"github.com/exgate/exgate/proto/exproto"
)

// Config configures a Server.
type Config struct {
	// New returns the handler for a new connection. Required.
	New func() Handler
	// Adapter is the address of the gateway's adapter, host:port. If zero, only the dialect session is served, which
	// needs no adapter.
	Adapter string
	// AdapterTLS is the TLS configuration for calling the adapter. If zero, plain text.
	AdapterTLS *tls.Config
	// AdapterToken is sent to the adapter: the gateway's setting adapter_token_file. If empty, no token is
	// sent.
	AdapterToken string
	// TLS is the TLS configuration of the server; its ClientCAs and ClientAuth decide which gateways may connect. If
	// zero, plain text.
	TLS *tls.Config
	// Token is the token required from gateways: their setting token_file. If empty, no token is
	// required.
	Token string
	// UnaryV42 serves ConnectionHandler with unary methods, as EMQX Enterprise 4.2 calls it. If zero, with streaming
	// methods, as EMQX 4.3 to 5.x call it.
	UnaryV42 bool
	// Window limits the events of one connection whose callbacks have not returned yet, in the dialect session. If
	// zero, as many as the gateway offers.
	Window uint32
	// MaxMessageSize limits a received gRPC message, in bytes. If zero, 16 MiB.
	MaxMessageSize int
	// Logger receives errors. If zero, slog.Default().
	Logger *slog.Logger
}

const (
	defaultMessageSize = 16 << 20
	leastPing          = 10 * time.Second // the shortest interval allowed for HTTP/2 pings
)

// Server serves handlers to any number of gateways, together with grpc.health.v1 and server reflection.
type Server struct {
	server  *grpc.Server
	health  *health.Server
	adapter *grpc.ClientConn // nil if Config.Adapter is empty
}

// New returns a server that does not serve yet. It connects to the adapter when that is first needed.
func New(cfg Config) (*Server, error) {
	if cfg.New == nil {
		return nil, errors.New("creating the handler's server: Config.New is required")
	}
	if cfg.MaxMessageSize == 0 {
		cfg.MaxMessageSize = defaultMessageSize
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Server{server: grpc.NewServer(cfg.options()...), health: health.NewServer()}
	if cfg.Adapter != "" {
		var err error
		if s.adapter, err = cfg.dialAdapter(); err != nil {
			return nil, err
		}
		s.register(&cfg, newCallbacks(&cfg, exproto.NewConnectionAdapterClient(s.adapter)))
	}
	handlerv1.RegisterSessionHandlerServer(s.server, &sessions{cfg: &cfg})
	s.health.SetServingStatus(handlerv1.SessionHandler_ServiceDesc.ServiceName,
		grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(s.server, s.health)
	reflection.Register(s.server)
	return s, nil
}

// register serves the dialects that call the adapter.
func (s *Server) register(cfg *Config, c *callbacks) {
	unary := exproto.ConnectionUnaryHandler_ServiceDesc
	s.server.RegisterService(&unary, unaryCallbacks{callbacks: c})
	older := exproto.ConnectionHandler_ServiceDesc
	if cfg.UnaryV42 {
		unary.ServiceName = older.ServiceName
		s.server.RegisterService(&unary, unaryCallbacks{callbacks: c})
	} else {
		s.server.RegisterService(&older, streamCallbacks{callbacks: c})
	}
	for _, name := range []string{exproto.ConnectionUnaryHandler_ServiceDesc.ServiceName, older.ServiceName} {
		s.health.SetServingStatus(name, grpc_health_v1.HealthCheckResponse_SERVING)
	}
}

func (cfg *Config) options() []grpc.ServerOption {
	options := []grpc.ServerOption{
		grpc.WaitForHandlers(true), grpc.MaxRecvMsgSize(cfg.MaxMessageSize),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: leastPing, PermitWithoutStream: true}),
	}
	if cfg.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(cfg.TLS)))
	}
	if cfg.Token != "" {
		options = append(options, requireToken(cfg.Token)...)
	}
	return options
}

// recoverCallback confines a panic in a callback to its connection.
func (cfg *Config) recoverCallback(c *Conn) {
	if p := recover(); p != nil {
		cfg.Logger.Error("callback panicked", "conn", c.id, "panic", p, "stack", string(debug.Stack()))
		_ = c.Close()
	}
}

// Serve serves gateways on l until Stop, and closes l.
func (s *Server) Serve(l net.Listener) error {
	if err := s.server.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serving the handler: %w", err)
	}
	return nil
}

// Stop ends Serve. Calls in running callbacks fail, and Stop returns when the callbacks have.
func (s *Server) Stop() error {
	s.health.Shutdown()
	var err error
	if s.adapter != nil {
		err = s.adapter.Close() // callbacks may be waiting for the adapter
	}
	s.server.Stop()
	return err
}
