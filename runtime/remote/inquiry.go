package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/remote/internal/probe"
)

// Inquiry asks a gRPC server what it is, without being its client: for people who look for what is wrong.
type Inquiry struct {
	// Address is the server's, as host:port. It is required.
	Address string
	// TLS secures the connection. If zero, plain text.
	TLS *tls.Config
	// Token is sent as the metadata authorization: Bearer TOKEN. If zero, none is.
	Token string
}

var (
	// ErrNoHandler is the error of a server that has no service of a handler. What wraps it names the services that it has, if it tells.
	ErrNoHandler = errors.New("the gRPC server is no handler")
	// ErrNotAllowed is the error of a server that refuses the calls.
	ErrNotAllowed = errors.New("the server refuses calls")
)

// Dialects returns those that the server serves, the one that [DialectAuto] would take first, and what told it: none where the server has no reflection, or keeps it from us. No
// method of a handler is called.
func (i Inquiry) Dialects(ctx context.Context) (dialects []Dialect, how string, err error) {
	err = i.ask(ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
		found, err := probe.Find(ctx, conn)
		if status.Code(err) == codes.PermissionDenied { // for reflection, which says nothing of a handler's methods
			return nil
		}
		for _, d := range found.Dialects {
			dialects = append(dialects, Dialect(d))
		}
		how = found.How
		return err
	})
	return dialects, how, err
}

// Adapter returns nil where the server is an adapter that serves.
func (i Inquiry) Adapter(ctx context.Context) error {
	return i.ask(ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
		request := &grpc_health_v1.HealthCheckRequest{Service: exproto.ConnectionAdapter_ServiceDesc.ServiceName}
		answer, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, request)
		if err == nil && answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			err = fmt.Errorf("its health is %v", answer.GetStatus())
		}
		return err
	})
}

func (i Inquiry) ask(ctx context.Context, question func(context.Context, *grpc.ClientConn) error) error {
	creds := insecure.NewCredentials()
	if i.TLS != nil {
		creds = credentials.NewTLS(i.TLS)
	}
	conn, err := grpc.NewClient("passthrough:///"+i.Address, grpc.WithTransportCredentials(creds), grpc.WithNoProxy(), grpc.WithUserAgent("exgate"),
		grpc.WithDisableServiceConfig())
	if err != nil {
		return fmt.Errorf("address %q: %w", i.Address, err)
	}
	defer func() { _ = conn.Close() }()
	if i.Token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+i.Token)
	}
	return i.told(question(ctx, conn))
}

// told puts what a person should know before the error of a call.
func (i Inquiry) told(err error) error {
	var none *probe.NotServedError
	switch code := status.Code(err); {
	case errors.As(err, &none):
		return fmt.Errorf("%w: %w", ErrNoHandler, err)
	case code == codes.Unauthenticated || code == codes.PermissionDenied:
		return fmt.Errorf("%w with %v", ErrNotAllowed, code)
	case err != nil:
		return fmt.Errorf("asking %s: %v: %s", i.Address, code, shorten(status.Convert(err).Message()))
	}
	return nil
}
