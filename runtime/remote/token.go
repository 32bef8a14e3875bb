package remote

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// sentToken sends a token with each call.
type sentToken struct {
	metadata map[string]string
	secure   bool
}

var _ credentials.PerRPCCredentials = (*sentToken)(nil)

func (b *sentToken) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return b.metadata, nil
}

// RequireTransportSecurity has gRPC refuse to send the token in plain text.
func (b *sentToken) RequireTransportSecurity() bool { return b.secure }

// sendToken is the option that sends Token, if there is one. In plain text it leaves this machine never.
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
