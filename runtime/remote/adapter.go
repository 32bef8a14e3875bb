package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
)

// RawPublisher publishes past connections, access control and mountpoints. [gateway.RawPublisher] is one.
type RawPublisher interface {
	RawPublish(topic string, qos uint32, payload []byte, done gateway.Done) gateway.Result
}

// AdapterConfig is an adapter's.
type AdapterConfig struct {
	// RawPublisher serves RawPublish. If zero, RawPublish is PERMISSION_DENY: it is a way around the access control of devices.
	RawPublisher RawPublisher
	// MaxConcurrentCalls bounds the calls under way on one HTTP/2 connection of a handler; further ones wait in the handler. If zero, 1000.
	MaxConcurrentCalls uint32
	// TLS secures the adapter; its ClientCAs and ClientAuth decide who may call. If zero, plain text.
	TLS *tls.Config
	// Logger takes refused calls, at debug level. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts. If zero, an unregistered set.
	Metrics *Metrics
}

const defaultMaxConcurrentCalls = 1000

// Adapter serves ConnectionAdapter to handlers, together with grpc.health.v1 and server reflection, as EMQX does.
type Adapter struct {
	conns  *registry
	server *grpc.Server
	health *health.Server
}

// NewAdapter makes an adapter that serves nothing yet.
func NewAdapter(cfg AdapterConfig) *Adapter {
	if cfg.MaxConcurrentCalls == 0 {
		cfg.MaxConcurrentCalls = defaultMaxConcurrentCalls
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	a := &Adapter{conns: new(registry), server: grpc.NewServer(serverOptions(cfg)...), health: health.NewServer()}
	exproto.RegisterConnectionAdapterServer(a.server, &calls{
		conns: a.conns, raw: cfg.RawPublisher, log: cfg.Logger, metrics: cfg.Metrics,
	})
	a.health.SetServingStatus(exproto.ConnectionAdapter_ServiceDesc.ServiceName, grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(a.server, a.health)
	reflection.Register(a.server)
	return a
}

// Bounds of a handler's HTTP/2 connection.
const (
	maxHeaderBytes  = 64 << 10
	connectionSetup = 10 * time.Second
)

func serverOptions(cfg AdapterConfig) []grpc.ServerOption {
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessageBytes),
		grpc.MaxConcurrentStreams(cfg.MaxConcurrentCalls),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.ConnectionTimeout(connectionSetup),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	}
	if cfg.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(cfg.TLS)))
	}
	return options
}

// Serve accepts handlers on l until Stop, and closes l.
func (a *Adapter) Serve(l net.Listener) error {
	if err := a.server.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serving the adapter on %s: %w", l.Addr(), err)
	}
	return nil
}

// Stop refuses new calls and waits for those under way; when ctx ends it fails what is left and returns ctx's error.
func (a *Adapter) Stop(ctx context.Context) error {
	a.health.Shutdown()
	stopped := make(chan struct{})
	go func() {
		a.server.GracefulStop()
		close(stopped)
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		a.server.Stop()
		<-stopped
		return fmt.Errorf("waiting for the adapter's calls: %w", ctx.Err())
	}
}
