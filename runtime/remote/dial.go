package remote

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// maxMessageBytes bounds a message in both directions: handlers send 8 MiB in one Send, and a device's send queue holds 16 MiB.
const maxMessageBytes = 16 << 20

// How a lost handler is reached again.
const (
	connectTimeout = 3 * time.Second // then callbacks that wait for the connection fail with handler_unavailable
	firstRetry     = 100 * time.Millisecond
	slowestRetry   = 3 * time.Second
)

// Pings go out only while a callback is in flight: gRPC servers take pings on an idle connection for abuse.
var clientKeepalive = keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}

func dial(cfg ClientConfig) (*grpc.ClientConn, error) {
	target, tlsConfig, err := cfg.target()
	if err != nil {
		return nil, err
	}
	creds := insecure.NewCredentials()
	if tlsConfig != nil {
		creds = credentials.NewTLS(tlsConfig)
	}
	rpc, err := grpc.NewClient("dns:///"+target,
		grpc.WithTransportCredentials(creds),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstRetry, Multiplier: 1.6, Jitter: 0.2, MaxDelay: slowestRetry},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithKeepaliveParams(clientKeepalive),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(maxMessageBytes), grpc.MaxCallRecvMsgSize(maxMessageBytes)),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithNoProxy(),
		grpc.WithUserAgent("exgate"),
	)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", cfg.Address, err)
	}
	rpc.Connect()
	return rpc, nil
}

// target splits Address into host:port and whether TLS is wanted.
func (cfg ClientConfig) target() (string, *tls.Config, error) {
	hostport, tlsConfig := cfg.Address, cfg.TLS
	if rest, ok := strings.CutPrefix(hostport, "https://"); ok {
		hostport = rest
		if tlsConfig == nil {
			tlsConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	}
	if rest, ok := strings.CutPrefix(hostport, "http://"); ok {
		if tlsConfig != nil {
			return "", nil, fmt.Errorf("address %q says http, but TLS is configured: write https", cfg.Address)
		}
		hostport = rest
	}
	host, port, err := net.SplitHostPort(strings.TrimSuffix(hostport, "/"))
	if err != nil || host == "" || port == "" {
		return "", nil, fmt.Errorf("address %q must be host:port", cfg.Address)
	}
	return net.JoinHostPort(host, port), tlsConfig, nil
}
