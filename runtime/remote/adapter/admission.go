package adapter

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/remote/adapter/internal/guard"
	"github.com/exgate/exgate/runtime/remote/adapter/internal/peer"
)

// Reasons for refusing a call, the values of the label "reason" of exgate_adapter_refused_total.
const (
	refusedToken   = "token"        // the caller's token is missing or unknown
	refusedForeign = "foreign_conn" // the connection belongs to another handler
	refusedPeer    = "peer_token"   // the token of another node is missing or wrong
)

// refusalLogInterval is the minimum time between two log lines of one reason, so that a hostile caller cannot fill the
// disk.
const refusalLogInterval = 10 * time.Second

// admission checks the headers of calls before their messages are read.
type admission struct {
	conns          *directory
	peers          *peer.Peers // nil without peers
	receiveTimeout time.Duration
	log            *slog.Logger
	metrics        *Metrics
	tokens         rate.Sometimes
	foreign        rate.Sometimes
	strangers      rate.Sometimes
	unreached      rate.Sometimes
	shedding       rate.Sometimes
}

func newAdmission(conns *directory, peers *peer.Peers, cfg Config) *admission {
	return &admission{
		conns: conns, peers: peers, receiveTimeout: cfg.receiveTimeout, log: cfg.Logger, metrics: cfg.Metrics,
		tokens: rate.Sometimes{Interval: refusalLogInterval}, foreign: rate.Sometimes{Interval: refusalLogInterval},
		strangers: rate.Sometimes{Interval: refusalLogInterval},
		unreached: rate.Sometimes{Interval: refusalLogInterval},
		shedding:  rate.Sometimes{Interval: refusalLogInterval},
	}
}

// caller identifies the caller of one call.
type caller struct {
	scope  scope
	peer   bool // another node forwarded the call
	on     *guard.Conn
	denied error              // the answer to the call, if it is refused
	call   context.Context    // ends with the call
	cancel context.CancelFunc // of the context that ends if the message does not arrive in time
}

type callerKey struct{}

func callerOf(ctx context.Context) *caller { return ctx.Value(callerKey{}).(*caller) }

var adapterPrefix = "/" + exproto.ConnectionAdapter_ServiceDesc.ServiceName + "/"

// tap is a [tap.ServerInHandle]. It runs on the goroutine that reads the caller's connection. It leaves refusing to
// refuse, because gRPC would keep the deadline timer of a call that is refused here.
func (a *admission) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	toPeer := strings.HasPrefix(info.FullMethodName, "/"+peer.Service+"/")
	if !toPeer && !strings.HasPrefix(info.FullMethodName, adapterPrefix) {
		return ctx, nil
	}
	c := &caller{call: ctx, on: guard.From(ctx)}
	var err error
	if c.peer, err = a.forwarded(info.Header); err != nil {
		c.denied = a.refusePeer(err)
	} else if c.scope, err = a.conns.scopes.of(info.Header); err != nil && !toPeer {
		c.denied = a.refuseToken(err)
	}
	if c.scope != (scope{}) {
		c.on.Prove()
	}
	ctx, c.cancel = context.WithTimeout(ctx, a.receiveTimeout) //nolint:gosec // its parent's end frees it: the call's
	return context.WithValue(ctx, callerKey{}, c), nil
}

// refuse is a [grpc.UnaryServerInterceptor] that ends the calls denied by tap.
func refuse(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if c, ok := ctx.Value(callerKey{}).(*caller); ok && c.denied != nil {
		return nil, c.denied
	}
	return next(ctx, request)
}

// forwarded reports whether header is from a call that another node forwarded.
func (a *admission) forwarded(header metadata.MD) (bool, error) {
	if a.peers == nil {
		return false, nil
	}
	return a.peers.Forwarded(header)
}

func (a *admission) refuseToken(err error) error {
	a.metrics.refused.WithLabelValues(refusedToken).Inc()
	a.tokens.Do(func() {
		a.log.Warn("adapter call refused", "reason", refusedToken, "error", err,
			"check", "the handler's adapter_token_file, and who else can reach adapter.bind")
	})
	return status.Error(codes.Unauthenticated, err.Error())
}

// refusePeer answers PermissionDenied rather than Unauthenticated, which the forwarding node would pass on to the
// handler.
func (a *admission) refusePeer(err error) error {
	a.metrics.refused.WithLabelValues(refusedPeer).Inc()
	a.strangers.Do(func() {
		a.log.Warn("refused a call from another node", "reason", refusedPeer, "error", err,
			"check", "adapter.peer_token_file of each node")
	})
	return status.Error(codes.PermissionDenied, err.Error())
}

// mayCall reports whether the caller may call for conn.
func (a *admission) mayCall(c *caller, conn *listedConn) bool {
	if c.scope.is(conn.registration.scope) {
		c.on.Prove()
		return true
	}
	a.metrics.refused.WithLabelValues(refusedForeign).Inc()
	a.foreign.Do(func() {
		a.log.Warn("adapter call refused", "reason", refusedForeign, "handler", conn.registration.handler,
			"conn", conn.ID(),
			"check", "that the caller presents the adapter token of the handler that the connection belongs to")
	})
	return false
}

// shed counts and logs a connection that was closed or refused to make room.
func (a *admission) shed(why guard.Reason, from net.Addr) {
	a.metrics.shed.WithLabelValues(string(why)).Inc()
	a.shedding.Do(func() {
		a.log.Warn("a connection to the adapter was closed", "reason", string(why), "peer", from,
			"check", "who can reach adapter.bind: a handler needs one connection, and presents a token or calls for "+
				"its devices")
	})
}

// boundStreams is a [grpc.StreamServerInterceptor] that limits streaming calls of reflection and health, which last as
// long as their caller likes.
func boundStreams(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	on := guard.From(stream.Context())
	if !on.TakeStream() {
		return status.Error(codes.ResourceExhausted, "too many streams on one connection")
	}
	defer on.GiveStream()
	return next(srv, stream)
}
