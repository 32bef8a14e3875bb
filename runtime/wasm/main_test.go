package wasm

import (
	"log/slog"
	"os"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

var eventually = gatewaytest.Eventually

// file returns a guest of testdata.
func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".wasm")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// engine starts an engine that the test closes.
func engine(t testing.TB, c Config) *Engine {
	t.Helper()
	if c.Name == "" {
		c.Name = "test"
	}
	if c.Logger == nil {
		c.Logger = quiet
	}
	e, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// instanceOf returns the instance of a device's connection.
func instanceOf(d *gatewaytest.Device) *instance { return d.Handler.(*connection).instance }

// silent is an adapter whose sends cost nothing.
type silent struct{ *gatewaytest.Device }

func (silent) Send([]byte) gateway.Result { return gateway.OK }
