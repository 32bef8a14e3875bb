package remote_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote"
)

// The log says which setting is wrong if the two sides disagree on TLS.
func TestTLSMismatchNamesTheSetting(t *testing.T) {
	cert, pool := certificate(t)
	other, otherPool := certificate(t)
	serverTLS := func(cfg *tls.Config) []grpc.ServerOption {
		return []grpc.ServerOption{grpc.Creds(credentials.NewTLS(cfg))}
	}
	mutual := &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}
	for _, test := range []struct {
		name   string
		server []grpc.ServerOption
		client *tls.Config
		want   string
	}{
		{"the handler has TLS", serverTLS(&tls.Config{Certificates: []tls.Certificate{cert}}), nil, "set tls"},
		{"the handler has none", nil, &tls.Config{RootCAs: pool}, "remove tls"},
		{"another authority", serverTLS(&tls.Config{Certificates: []tls.Certificate{cert}}), &tls.Config{
			RootCAs: otherPool,
		}, "tls.ca"},
		{"another name", serverTLS(&tls.Config{Certificates: []tls.Certificate{cert}}), &tls.Config{
			RootCAs: pool, ServerName: "x.example",
		}, "tls.server_name"},
		{"no client certificate", serverTLS(mutual), &tls.Config{RootCAs: pool}, "tls.cert"},
		{"another client certificate", serverTLS(mutual), &tls.Config{
			RootCAs: pool, Certificates: []tls.Certificate{other},
		}, "tls.cert"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log journal
			a, _ := serveAdapter(t, remote.AdapterConfig{})
			address, _ := serveHandler(t, "", &script{}, test.server...)
			c := newClient(t, remote.ClientConfig{Addresses: []string{address}, TLS: test.client, Logger: log.logger()},
				a)
			expectReason(t, newHandler(t, c, newDevice("c1")).OnReceivedBytes(nil), gateway.ReasonHandlerUnavailable)
			if !strings.Contains(log.String(), test.want) {
				t.Errorf("the log does not say %q: %s", test.want, &log)
			}
		})
	}
}
