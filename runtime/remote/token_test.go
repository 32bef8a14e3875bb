package remote_test

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/exgate/exgate/runtime/remote"
)

func TestTokenGoesWithEachCall(t *testing.T) {
	cert, pool := certificate(t)
	for _, test := range []struct {
		name   string
		server []grpc.ServerOption
		client *tls.Config
	}{
		{"plain text on loopback", nil, nil},
		{"TLS", []grpc.ServerOption{grpc.Creds(credentials.NewServerTLSFromCert(&cert))}, &tls.Config{RootCAs: pool}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			s := &script{on: func(ctx context.Context, _ any) error {
				md, _ := metadata.FromIncomingContext(ctx)
				got = append(got, strings.Join(md.Get("authorization"), ","))
				return nil
			}}
			a, _ := serveAdapter(t, remote.AdapterConfig{})
			address, _ := serveHandler(t, "", s, test.server...)
			h := newHandler(t,
				newClient(t, remote.ClientConfig{Addresses: []string{address}, TLS: test.client, Token: "s3cret"}, a),
				newDevice("c1"))
			must(t, h.OnReceivedBytes(nil))
			must(t, h.OnReceivedBytes(nil))
			expect(t, "authorization", strings.Join(got, " "), "Bearer s3cret Bearer s3cret")
		})
	}
}

func TestTokenStaysOffPlainTextNetworks(t *testing.T) {
	a, _ := serveAdapter(t, remote.AdapterConfig{})
	for address, refused := range map[string]bool{
		"192.0.2.1:9001": true, "handler.example:9001": true, "http://handler.example:9001": true,
		"127.0.0.1.example:9001": true, "0.0.0.0:9001": true,
		"127.0.0.1:9001": false, "[::1]:9001": false, "localhost:9001": false, "https://192.0.2.1:9001": false,
	} {
		c, err := remote.NewClient(remote.ClientConfig{Name: "demo", Addresses: []string{address}, Token: "s3cret"}, a)
		if err == nil {
			must(t, c.Close(t.Context()))
		}
		if refused != (err != nil) {
			t.Errorf("%s: %v", address, err)
		}
		if err != nil &&
			(!strings.Contains(err.Error(), "token_file") || !strings.Contains(err.Error(), "tls") ||
				strings.Contains(err.Error(), "s3cret")) {
			t.Errorf("%s: the error must name token_file and tls and not the token: %v", address, err)
		}
	}
}
