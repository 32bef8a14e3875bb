package adapter

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/adapter/internal/guard"
	"github.com/exgate/exgate/runtime/remote/adapter/internal/peer"
	"github.com/exgate/exgate/runtime/remote/internal/convert"
)

// Config configures an Adapter.
type Config struct {
	// RawPublisher serves RawPublish. If zero, RawPublish answers PERMISSION_DENY: it bypasses the access control of
	// devices.
	RawPublisher RawPublisher
	// RawPublishTopics are the MQTT topic filters that RawPublish may publish to. If zero, every topic.
	RawPublishTopics []string
	// Node is the name of this gateway, see [gateway.Gateway.Node]. It is required if Peers is set.
	Node string
	// Peers are the other nodes behind the same adapter address. Calls for their connections are forwarded to them.
	// Optional.
	Peers PeersConfig
	// MaxConnections bounds the connections of handlers. At the limit, the oldest connection that has neither presented
	// a token nor called for one of its devices is closed; without one, the new connection is refused. If zero, 512.
	MaxConnections int
	// TLS secures the adapter. Its ClientCAs and ClientAuth decide who may call. If zero, plain text.
	TLS *tls.Config
	// Logger receives warnings, and refused calls at debug level. If zero, slog.Default().
	Logger *slog.Logger
	// Metrics counts calls. If zero, an unregistered set.
	Metrics *Metrics

	// The tests set these.
	receiveTimeout   time.Duration // from the headers of a call to the end of its message
	handshakeTimeout time.Duration // for TLS and HTTP/2
}

const (
	defaultMaxConnections   = 512
	defaultReceiveTimeout   = 30 * time.Second
	defaultHandshakeTimeout = 10 * time.Second
)

// Adapter serves ConnectionAdapter to handlers, together with grpc.health.v1 and server reflection, as EMQX does.
type Adapter struct {
	conns  *directory
	raw    *rawPublishes
	peers  *peer.Peers // nil without peers
	guard  *guard.Guard
	server *grpc.Server
	health *health.Server
	secure bool
	log    *slog.Logger
}

// New returns an adapter that is not serving yet. Errors name the field of cfg to change.
func New(cfg Config) (*Adapter, error) {
	cfg = cfg.withDefaults()
	if cfg.MaxConnections < 0 {
		return nil, fmt.Errorf("creating the adapter: MaxConnections %d is negative", cfg.MaxConnections)
	}
	raw, err := newRawPublishes(cfg.RawPublisher, cfg.RawPublishTopics)
	if err != nil {
		return nil, fmt.Errorf("creating the adapter: %w", err)
	}
	conns := new(directory)
	peers, err := newPeers(cfg)
	if err != nil {
		return nil, fmt.Errorf("creating the adapter: %w", err)
	}
	admission := newAdmission(conns, peers, cfg)
	a := &Adapter{
		conns: conns, raw: raw, peers: peers, server: grpc.NewServer(serverOptions(cfg, admission)...),
		health: health.NewServer(),
		secure: cfg.TLS != nil, log: cfg.Logger,
		guard: guard.New(guard.Limits{Conns: cfg.MaxConnections, Calls: maxHalfOpenCalls, Bytes: maxHalfOpenBytes},
			admission.shed),
	}
	exproto.RegisterConnectionAdapterServer(a.server, &calls{
		conns: conns, node: cfg.Node, peers: peers, admission: admission, raw: raw, log: cfg.Logger,
	})
	a.health.SetServingStatus(exproto.ConnectionAdapter_ServiceDesc.ServiceName,
		grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(a.server, a.health)
	reflection.Register(a.server)
	if peers != nil {
		peers.Register(a.server)
	}
	return a, nil
}

func (cfg Config) withDefaults() Config {
	cfg.MaxConnections = cmp.Or(cfg.MaxConnections, defaultMaxConnections)
	cfg.receiveTimeout = cmp.Or(cfg.receiveTimeout, defaultReceiveTimeout)
	cfg.handshakeTimeout = cmp.Or(cfg.handshakeTimeout, defaultHandshakeTimeout)
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	return cfg
}

// Limits on what callers send.
const (
	maxConcurrentCalls = 1000      // on one HTTP/2 connection; further calls wait in the handler
	maxHeaderBytes     = 64 << 10  // the headers of a call
	maxHalfOpenCalls   = 4096      // calls, of all callers, whose message has not arrived completely
	maxHalfOpenBytes   = 256 << 20 // received bytes of these calls
)

func serverOptions(cfg Config, admission *admission) []grpc.ServerOption {
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(convert.MaxMessageBytes),
		grpc.StaticStreamWindowSize(convert.StreamWindow),
		grpc.StaticConnWindowSize(convert.ConnWindow),
		grpc.MaxConcurrentStreams(maxConcurrentCalls),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.ConnectionTimeout(cfg.handshakeTimeout),
		grpc.InTapHandle(admission.tap),
		grpc.UnaryInterceptor(refuse),
		grpc.StreamInterceptor(boundStreams),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: 5 * time.Second, PermitWithoutStream: true,
		}),
	}
	creds := insecure.NewCredentials()
	if cfg.TLS != nil {
		creds = credentials.NewTLS(cfg.TLS)
	}
	return append(options, grpc.Creds(guard.Credentials(creds)))
}

// Register adds a handler. Callers that present token may call for the connections of the returned Registration; if
// token is empty, callers without a token may.
func (a *Adapter) Register(handler, token string) *Registration {
	return a.conns.register(handler, token)
}

// RawPublish publishes for a handler that does not call the adapter itself, under the same limits.
func (a *Adapter) RawPublish(topic string, qos uint32, payload []byte, done gateway.Done) gateway.Result {
	return a.raw.publish(topic, qos, payload, done)
}

// Serve accepts handlers on l until Stop, and closes l.
func (a *Adapter) Serve(l net.Listener) error {
	err := a.server.Serve(a.guard.Listener(newPrefaceListener(l, a.secure, a.log)))
	if err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serving the adapter on %s: %w", l.Addr(), err)
	}
	return nil
}

// Stop refuses new calls and waits for those in progress. When ctx ends it aborts them and returns ctx's error.
func (a *Adapter) Stop(ctx context.Context) error {
	if a.peers != nil {
		defer a.peers.Close()
	}
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
