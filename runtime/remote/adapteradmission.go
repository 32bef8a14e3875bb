package remote

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/exgate/exgate/proto/exproto"
)

// Why calls are refused, as the metric exgate_adapter_refused_total tells it.
const (
	refusedToken   = "token"        // missing or unknown
	refusedForeign = "foreign_conn" // a connection of another handler
)

// refusalLogInterval is the least time between two log lines of one reason: a hostile caller must not fill the disk.
const refusalLogInterval = 10 * time.Second

// admission looks at the headers of calls before their messages are read.
type admission struct {
	conns          *directory
	receiveTimeout time.Duration
	log            *slog.Logger
	metrics        *adapterMetrics
	tokens         rate.Sometimes
	foreign        rate.Sometimes
}

func newAdmission(conns *directory, cfg AdapterConfig) *admission {
	return &admission{
		conns: conns, receiveTimeout: cfg.ReceiveTimeout, log: cfg.Logger, metrics: &cfg.Metrics.adapter,
		tokens: rate.Sometimes{Interval: refusalLogInterval}, foreign: rate.Sometimes{Interval: refusalLogInterval},
	}
}

// caller is who makes a call.
type caller struct {
	scope  scope
	call   context.Context    // ends with the call
	cancel context.CancelFunc // of the context that ends where the message does not arrive in time; call's end frees it
}

type callerKey struct{}

func callerOf(ctx context.Context) *caller { return ctx.Value(callerKey{}).(*caller) }

var adapterPrefix = "/" + exproto.ConnectionAdapter_ServiceDesc.ServiceName + "/"

// tap is a [tap.ServerInHandle]: it runs on the goroutine that reads the caller's connection.
func (a *admission) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	if !strings.HasPrefix(info.FullMethodName, adapterPrefix) {
		return ctx, nil
	}
	from, err := a.conns.scopes.of(info.Header)
	if err != nil {
		a.metrics.refused.WithLabelValues(refusedToken).Inc()
		a.tokens.Do(func() {
			a.log.Warn("adapter call refused", "reason", refusedToken, "error", err, "check", "the handler's adapter_token_file, and who else can reach adapter.bind")
		})
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	c := &caller{scope: from, call: ctx}
	ctx, c.cancel = context.WithTimeout(ctx, a.receiveTimeout)
	return context.WithValue(ctx, callerKey{}, c), nil
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
