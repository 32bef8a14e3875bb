package remote

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/exgate/exgate/runtime/remote/internal/backend"
	"github.com/exgate/exgate/runtime/remote/internal/convert"
	"github.com/exgate/exgate/runtime/remote/target"
)

// HTTP/2 pings are sent only while a call or stream is open, and not more often than servers accept by default: they
// end the connection with GOAWAY too_many_pings if a ping comes less than 5 min after the previous one. On Linux a host
// that accepts no bytes for Timeout counts as lost (TCP_USER_TIMEOUT), so that a callback to it ends before its own
// timeout.
var clientKeepalive = keepalive.ClientParameters{Time: 6 * time.Minute, Timeout: 5 * time.Second}

// tcpKeepalive detects a lost host while nothing is sent: TCP asks the host itself, which no server counts.
var tcpKeepalive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// connect returns the pool of the handler's backends. secure says that it uses TLS.
func connect(cfg ClientConfig) (pool *backend.Pool, secure bool, err error) {
	targets, tlsConfig, err := cfg.targets()
	if err != nil {
		return nil, false, err
	}
	token, err := cfg.sendToken(targets, tlsConfig)
	if err != nil {
		return nil, false, err
	}
	connected := cfg.Metrics.target.Backends.WithLabelValues(cfg.Name)
	pool, err = backend.New(backend.Config{
		Targets:     targets,
		Authority:   serverName(tlsConfig),
		Credentials: transport(tlsConfig),
		MaxCalls:    cfg.MaxInFlight,
		Options:     append(cfg.dialOptions(), token),
		Connected:   func(n int) { connected.Set(float64(n)) },
		Logger:      cfg.Logger.With("handler", cfg.Name),
	})
	return pool, tlsConfig != nil, err
}

func (cfg ClientConfig) dialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: target.FirstRetry, Multiplier: 1.6, Jitter: 0.2, MaxDelay: target.SlowestRetry,
			},
			MinConnectTimeout: target.ConnectTimeout,
		}),
		grpc.WithKeepaliveParams(clientKeepalive),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return (&net.Dialer{KeepAliveConfig: tcpKeepalive}).DialContext(ctx, "tcp", address)
		}),
		grpc.WithStaticStreamWindowSize(convert.StreamWindow),
		grpc.WithStaticConnWindowSize(convert.ConnWindow),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(cfg.MaxMessageSize),
			grpc.MaxCallRecvMsgSize(convert.MaxMessageBytes)),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithNoProxy(),
		grpc.WithUserAgent("exgate"),
	}
}

func transport(tlsConfig *tls.Config) credentials.TransportCredentials {
	if tlsConfig == nil {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(tlsConfig)
}

// serverName returns the configured name of the handler's certificate, or "" for its address.
func serverName(tlsConfig *tls.Config) string {
	if tlsConfig == nil {
		return ""
	}
	return tlsConfig.ServerName
}

// targets splits Addresses into host:port, and returns the TLS configuration for all of them.
func (cfg ClientConfig) targets() ([]string, *tls.Config, error) {
	targets, secure := make([]string, len(cfg.Addresses)), 0
	for i, address := range cfg.Addresses {
		target, scheme, err := splitAddress(address)
		switch {
		case err != nil:
			return nil, nil, err
		case scheme == "http" && cfg.TLS != nil:
			return nil, nil, fmt.Errorf("address %q says http, but TLS is configured: write https", address)
		case scheme == "https":
			secure++
		}
		targets[i] = target
	}
	switch {
	case cfg.TLS != nil || secure == 0:
		return targets, cfg.TLS, nil
	case secure < len(targets):
		return nil, nil, fmt.Errorf("addresses %q mix https and http: use TLS for all or none",
			cfg.Addresses)
	}
	return targets, &tls.Config{MinVersion: tls.VersionTLS12}, nil
}

// splitAddress accepts host:port, http://host:port and https://host:port.
func splitAddress(address string) (hostport, scheme string, err error) {
	hostport = address
	if before, after, ok := strings.Cut(address, "://"); ok {
		scheme, hostport = before, strings.TrimSuffix(after, "/")
	}
	host, port, err := net.SplitHostPort(hostport)
	if err != nil || host == "" || port == "" || scheme != "" && scheme != "http" && scheme != "https" {
		return "", "", fmt.Errorf("address %q must be host:port", address)
	}
	return net.JoinHostPort(host, port), scheme, nil
}

// sentToken sends a token with each call.
type sentToken struct {
	metadata map[string]string
	secure   bool
}

var _ credentials.PerRPCCredentials = (*sentToken)(nil)

func (b *sentToken) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return b.metadata, nil
}

// RequireTransportSecurity makes gRPC refuse to send the token in plain text.
func (b *sentToken) RequireTransportSecurity() bool { return b.secure }

// sendToken returns the option that sends Token, if it is set. In plain text the token never leaves this machine.
func (cfg ClientConfig) sendToken(targets []string, tlsConfig *tls.Config) (grpc.DialOption, error) {
	if cfg.Token == "" {
		return grpc.EmptyDialOption{}, nil
	}
	if tlsConfig == nil {
		for _, target := range targets {
			if !loopback(target) {
				return nil, fmt.Errorf("the token would go to %s in plain text: set tls, or remove token_file", target)
			}
		}
	}
	return grpc.WithPerRPCCredentials(&sentToken{
		metadata: map[string]string{"authorization": "Bearer " + cfg.Token}, secure: tlsConfig != nil,
	}), nil
}

// loopback reports whether host:port is on this machine.
func loopback(target string) bool {
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback() || host == "localhost"
}
