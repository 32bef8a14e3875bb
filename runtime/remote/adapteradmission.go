package remote

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/remote/internal/peer"
)

// Why calls are refused, as the metric exgate_adapter_refused_total tells it.
const (
	refusedToken   = "token"        // missing or unknown
	refusedForeign = "foreign_conn" // a connection of another handler
	refusedPeer    = "peer_token"   // another node's, missing or wrong
)

// refusalLogInterval is the least time between two log lines of one reason: a hostile caller must not fill the disk.
const refusalLogInterval = 10 * time.Second

// admission looks at the headers of calls before their messages are read.
type admission struct {
	conns          *directory
	peers          *peer.Peers // nil: none
	receiveTimeout time.Duration
	log            *slog.Logger
	metrics        *adapterMetrics
	tokens         rate.Sometimes
	foreign        rate.Sometimes
	strangers      rate.Sometimes
	unreached      rate.Sometimes
}

func newAdmission(conns *directory, peers *peer.Peers, cfg AdapterConfig) *admission {
	return &admission{
		conns: conns, peers: peers, receiveTimeout: cfg.ReceiveTimeout, log: cfg.Logger, metrics: &cfg.Metrics.adapter,
		tokens: rate.Sometimes{Interval: refusalLogInterval}, foreign: rate.Sometimes{Interval: refusalLogInterval},
		strangers: rate.Sometimes{Interval: refusalLogInterval}, unreached: rate.Sometimes{Interval: refusalLogInterval},
	}
}

// caller is who makes a call.
type caller struct {
	scope  scope
	peer   bool               // another node forwarded the call
	call   context.Context    // ends with the call
	cancel context.CancelFunc // of the context that ends where the message does not arrive in time; call's end frees it
}

type callerKey struct{}

func callerOf(ctx context.Context) *caller { return ctx.Value(callerKey{}).(*caller) }

var adapterPrefix = "/" + exproto.ConnectionAdapter_ServiceDesc.ServiceName + "/"

// tap is a [tap.ServerInHandle]: it runs on the goroutine that reads the caller's connection.
func (a *admission) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	toPeer := strings.HasPrefix(info.FullMethodName, "/"+peer.Service+"/")
	if !toPeer && !strings.HasPrefix(info.FullMethodName, adapterPrefix) {
		return ctx, nil
	}
	c := &caller{call: ctx}
	var err error
	if c.peer, err = a.forwarded(info.Header); err != nil {
		return nil, a.refusePeer(err)
	}
	if c.scope, err = a.conns.scopes.of(info.Header); err != nil && !toPeer {
		return nil, a.refuseToken(err)
	}
	ctx, c.cancel = context.WithTimeout(ctx, a.receiveTimeout)
	return context.WithValue(ctx, callerKey{}, c), nil
}

// forwarded reports whether header is that of another node's call.
func (a *admission) forwarded(header metadata.MD) (bool, error) {
	if a.peers == nil {
		return false, nil
	}
	return a.peers.Forwarded(header)
}

func (a *admission) refuseToken(err error) error {
	a.metrics.refused.WithLabelValues(refusedToken).Inc()
	a.tokens.Do(func() {
		a.log.Warn("adapter call refused", "reason", refusedToken, "error", err, "check", "the handler's adapter_token_file, and who else can reach adapter.bind")
	})
	return status.Error(codes.Unauthenticated, err.Error())
}

// refusePeer has another code than refuseToken: the node that forwards passes Unauthenticated on to the handler.
func (a *admission) refusePeer(err error) error {
	a.metrics.refused.WithLabelValues(refusedPeer).Inc()
	a.strangers.Do(func() {
		a.log.Warn("call of another node refused", "reason", refusedPeer, "error", err, "check", "adapter.peer_token_file of each node")
	})
	return status.Error(codes.PermissionDenied, err.Error())
}

// may reports whether the caller was given the connection.
func (a *admission) may(c *caller, conn *listed) bool {
	if c.scope.is(conn.by.scope) {
		return true
	}
	a.metrics.refused.WithLabelValues(refusedForeign).Inc()
	a.foreign.Do(func() {
		a.log.Warn("adapter call refused", "reason", refusedForeign, "handler", conn.by.handler, "conn", conn.ID(),
			"check", "that the caller presents the adapter token of the handler that was given the connection")
	})
	return false
}
