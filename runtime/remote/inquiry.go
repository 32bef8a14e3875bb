package remote

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/remote/internal/convert"
)

// Inquiry checks whether an adapter is serving, without being a client of it. The doctor uses it.
type Inquiry struct {
	// Address is the server's, as host:port. Required.
	Address string
}

// Adapter returns nil if the server is an adapter that is serving.
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
	conn, err := grpc.NewClient("passthrough:///"+i.Address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(),
		grpc.WithUserAgent("exgate"), grpc.WithDisableServiceConfig())
	if err != nil {
		return fmt.Errorf("address %q: %w", i.Address, err)
	}
	defer func() { _ = conn.Close() }()
	if err := question(ctx, conn); err != nil {
		return fmt.Errorf("asking %s: %v: %s", i.Address, status.Code(err),
			convert.Shorten(status.Convert(err).Message()))
	}
	return nil
}
