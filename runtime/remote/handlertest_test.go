package remote_test

import (
	"testing"

	"github.com/exgate/exgate/proto/examples/go/jsonecho"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/handlertest"
	"github.com/exgate/exgate/runtime/remote"
)

// TestHandlerSuite plays what every kind of handler must do, with a handler that is a gRPC server on a real socket.
func TestHandlerSuite(t *testing.T) {
	for _, dialect := range emqxDialects {
		handlertest.Run(t, string(dialect), func(t *testing.T) gateway.HandlerFactory {
			return jsonEcho(t, remote.AdapterConfig{}, dialect)
		})
	}
}

func TestHandlerSuiteRawPublish(t *testing.T) {
	t.Run("allowed", func(t *testing.T) {
		handlertest.RunRawPublish(t, true, func(t *testing.T, raw *gateway.RawPublisher) gateway.HandlerFactory {
			return jsonEcho(t, remote.AdapterConfig{RawPublisher: raw}, remote.DialectUnary)
		})
	})
	t.Run("off", func(t *testing.T) {
		handlertest.RunRawPublish(t, false, func(t *testing.T, _ *gateway.RawPublisher) gateway.HandlerFactory {
			return jsonEcho(t, remote.AdapterConfig{}, remote.DialectUnary)
		})
	})
}

// jsonEcho starts an adapter and the handler that calls it, and returns the client of that handler.
func jsonEcho(t *testing.T, cfg remote.AdapterConfig, dialect remote.Dialect) *remote.Client {
	t.Helper()
	adapter, adapterAddress := serveAdapter(t, cfg)
	handler, err := jsonecho.New(adapterAddress)
	if err != nil {
		t.Fatal(err)
	}
	address := serveForm(t, dialect, handler)
	t.Cleanup(func() {
		if err := handler.Stop(); err != nil {
			t.Errorf("stopping the handler: %v", err)
		}
	})
	client, err := remote.NewClient(remote.ClientConfig{Name: "jsonecho", Addresses: []string{address}, Dialect: dialect}, adapter)
	if err != nil {
		t.Fatal(err)
	}
	return client
}
