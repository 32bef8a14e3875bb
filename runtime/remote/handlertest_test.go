package remote_test

import (
	"testing"

	"github.com/exgate/exgate/proto/examples/go/jsonecho"
	handler "github.com/exgate/exgate/proto/sdk/go"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/handlertest"
	"github.com/exgate/exgate/runtime/remote"
)

var everyDialect = append([]remote.Dialect{remote.DialectSession}, emqxDialects...)

// TestHandlerSuite plays what every handler must do, with a handler that is a gRPC server on a real socket.
func TestHandlerSuite(t *testing.T) {
	for _, dialect := range everyDialect {
		handlertest.Run(t, string(dialect), func(t *testing.T) gateway.HandlerFactory {
			return jsonEcho(t, remote.AdapterConfig{}, dialect)
		})
	}
}

func TestHandlerSuiteRawPublish(t *testing.T) {
	for _, dialect := range []remote.Dialect{remote.DialectUnary, remote.DialectSession} {
		t.Run(string(dialect)+" allowed", func(t *testing.T) {
			handlertest.RunRawPublish(t, true, func(t *testing.T, raw *gateway.RawPublisher) gateway.HandlerFactory {
				return jsonEcho(t, remote.AdapterConfig{RawPublisher: raw}, dialect)
			})
		})
		t.Run(string(dialect)+" off", func(t *testing.T) {
			handlertest.RunRawPublish(t, false, func(t *testing.T, _ *gateway.RawPublisher) gateway.HandlerFactory {
				return jsonEcho(t, remote.AdapterConfig{}, dialect)
			})
		})
	}
}

// jsonEcho starts an adapter and the handler that calls it, and returns the client of that handler. In the dialect
// session its window is one event: in the traces of the other dialects each event waits for its callback.
func jsonEcho(t *testing.T, cfg remote.AdapterConfig, dialect remote.Dialect) *remote.Client {
	t.Helper()
	adapter, adapterAddress := serveAdapter(t, cfg)
	address := serveSDK(t, handler.Config{
		Adapter: adapterAddress, New: jsonecho.NewHandler, UnaryV42: dialect == remote.DialectUnaryV42, Window: 1,
	})
	client, err := remote.NewClient(remote.ClientConfig{
		Name: "jsonecho", Addresses: []string{address}, Dialect: dialect,
	}, adapter)
	must(t, err)
	return client
}

// serveSDK serves a handler that uses the Go SDK, and returns its address.
func serveSDK(t testing.TB, cfg handler.Config) string {
	t.Helper()
	server, err := handler.New(cfg)
	must(t, err)
	l := listen(t, "")
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		must(t, server.Stop())
		must(t, <-served)
	})
	return l.Addr().String()
}
