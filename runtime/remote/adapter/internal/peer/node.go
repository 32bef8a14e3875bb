package peer

import (
	"context"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Limits on what another node may cost.
const (
	maxForwards    = 1000     // concurrent calls to one node
	maxReply       = 64 << 10 // bytes of an answer
	connectTimeout = 2 * time.Second
)

// node is the adapter of another node.
type node struct {
	name    string
	address string
	rpc     *grpc.ClientConn
	slots   chan struct{}
}

// dial prepares the connection to an adapter, which opens with the first call. serverName is the name of its
// certificate, if that is not the host of the address.
func (p *Peers) dial(address, serverName string) (*node, error) {
	creds := insecure.NewCredentials()
	if p.cfg.TLS != nil {
		tls := p.cfg.TLS.Clone()
		if tls.ServerName == "" {
			tls.ServerName = serverName
		}
		creds = credentials.NewTLS(tls)
	}
	rpc, err := grpc.NewClient("dns:///"+address,
		grpc.WithTransportCredentials(creds),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second,
			},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReply)),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithNoProxy(),
		grpc.WithUserAgent("exgate-peer"),
	)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", address, err)
	}
	return &node{address: address, rpc: rpc, slots: make(chan struct{}, maxForwards)}, nil
}

func (n *node) close() { _ = n.rpc.Close() }

// forward makes a call. It fails at once if too many are in progress: a caller with many calls must not delay those of
// others.
func (n *node) forward(ctx context.Context, method string, request, reply proto.Message) error {
	select {
	case n.slots <- struct{}{}:
		defer func() { <-n.slots }()
	default:
		return status.Errorf(codes.ResourceExhausted, "%d calls to it are in progress", maxForwards)
	}
	return n.rpc.Invoke(ctx, method, request, reply)
}

func serverName(hostport string) string {
	host, _, _ := net.SplitHostPort(hostport)
	return host
}
