package acceptance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"testing"

	"github.com/exgate/exgate/cmd/exgate/internal/certtest"
	"github.com/exgate/exgate/proto/examples/examplestest"
	grpcecho "github.com/exgate/exgate/proto/examples/go/jsonecho"
	handler "github.com/exgate/exgate/proto/sdk/go"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote"
)

// kind is how the JSON echo handler is reached: as a module, or as a service in a dialect.
type kind struct {
	module  bool
	dialect remote.Dialect
	tls     bool                  // both ways
	example *examplestest.Example // nil: in Go, in this process
}

func (k kind) String() string {
	switch {
	case k.module:
		return "wasm"
	case k.tls:
		return string(k.dialect) + " over TLS"
	}
	return string(k.dialect)
}

// newRemote starts the adapter and the service.
func (h *fixture) newRemote(t *testing.T, log *slog.Logger) gateway.HandlerFactory {
	t.Helper()
	server, client := h.kind.certificates(t)
	raw := h.gw.NewRawPublisher("up", gateway.ClientInfo{ClientID: "raw", Username: "raw"}, h.up.password)
	adapter, err := remote.NewAdapter(remote.AdapterConfig{RawPublisher: raw, TLS: server, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	adapterAddr := serveOn(t, adapter.Serve, func() error { return adapter.Stop(context.Background()) })
	c, err := remote.NewClient(remote.ClientConfig{
		Name: "echo", Addresses: []string{h.kind.serve(t, adapterAddr, server,
			client)}, Dialect: h.kind.dialect, TLS: client, Logger: log,
	}, adapter)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serve starts the service and returns its address.
func (k kind) serve(t *testing.T, adapterAddr string, server, client *tls.Config) string {
	t.Helper()
	if k.example != nil {
		return examplestest.Start(t, *k.example, adapterAddr, password)
	}
	service, err := handler.New(handler.Config{
		Adapter: adapterAddr, AdapterTLS: client, New: grpcecho.NewHandler, TLS: server,
		UnaryV42: k.dialect == remote.DialectUnaryV42,
	})
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, service.Serve, service.Stop)
}

// certificates are nil in plain text.
func (k kind) certificates(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	if !k.tls {
		return nil, nil
	}
	certPEM, keyPEM := certtest.SelfSigned(t)
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return &tls.Config{Certificates: []tls.Certificate{cert}}, &tls.Config{RootCAs: roots}
}
