package handler

import (
	"context"
	"crypto/subtle"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// dialAdapter creates the connection to the adapter.
func (cfg *Config) dialAdapter() (*grpc.ClientConn, error) {
	creds := insecure.NewCredentials()
	if cfg.AdapterTLS != nil {
		creds = credentials.NewTLS(cfg.AdapterTLS)
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(creds), grpc.WithNoProxy()}
	if cfg.AdapterToken != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer(cfg.AdapterToken)))
	}
	rpc, err := grpc.NewClient(cfg.Adapter, options...)
	if err != nil {
		return nil, fmt.Errorf("calling the adapter at %s: %w", cfg.Adapter, err)
	}
	return rpc, nil
}

// bearer sends a token with every call.
type bearer string

var _ credentials.PerRPCCredentials = bearer("")

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity allows tokens without TLS: gateway and handler are often on one host.
func (bearer) RequireTransportSecurity() bool { return false }

// requireToken rejects calls without token.
func requireToken(token string) []grpc.ServerOption {
	want := "Bearer " + token
	check := func(ctx context.Context) error {
		for _, got := range metadata.ValueFromIncomingContext(ctx, "authorization") {
			if subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1 {
				return nil
			}
		}
		return status.Error(codes.Unauthenticated,
			"the handler wants a token: the gateway's setting token_file of this handler")
	}
	unary := func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if err := check(ctx); err != nil {
			return nil, err
		}
		return next(ctx, request)
	}
	stream := func(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		if err := check(stream.Context()); err != nil {
			return err
		}
		return next(server, stream)
	}
	return []grpc.ServerOption{grpc.UnaryInterceptor(unary), grpc.StreamInterceptor(stream)}
}
