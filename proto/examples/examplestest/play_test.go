package examplestest

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/handlertest"
	"github.com/exgate/exgate/runtime/remote"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// play runs every scenario with an example in each of its dialects. One process serves all scenarios of a dialect, as
// it would in earnest.
func play(t *testing.T, e Example, dialects ...remote.Dialect) {
	for _, dialect := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			suite := handlertest.Run
			// which finds session in each of them
			if dialect == remote.DialectSession || dialect == remote.DialectAuto {
				suite = handlertest.RunOverlapping // events follow each other within the window
			}
			suite(t, "suite", serve(t, e, remote.AdapterConfig{}, remote.ClientConfig{Dialect: dialect}))
		})
	}
	if slices.Contains(dialects, remote.DialectStream) {
		t.Run("shared streams", func(t *testing.T) {
			shared := remote.ClientConfig{Dialect: remote.DialectStream, StreamSets: 1}
			handlertest.RunOverlapping(t, "suite", serve(t, e, remote.AdapterConfig{}, shared))
		})
	}
	t.Run("raw publish", func(t *testing.T) { playRawPublish(t, e, dialects[0]) })
}

// playRawPublish needs an adapter of its own, whose publisher belongs to the scenario's gateway.
func playRawPublish(t *testing.T, e Example, dialect remote.Dialect) {
	handlertest.RunRawPublish(t, true, func(t *testing.T, raw *gateway.RawPublisher) gateway.HandlerFactory {
		return serve(t, e, remote.AdapterConfig{RawPublisher: raw}, remote.ClientConfig{Dialect: dialect})(t)
	})
}

// serve starts an adapter and a process that calls it, and returns what makes clients of the process. The gateway of a
// scenario closes its client.
func serve(
	t *testing.T, e Example, a remote.AdapterConfig, c remote.ClientConfig,
) func(*testing.T) gateway.HandlerFactory {
	t.Helper()
	a.Logger = slog.New(currentLog{})
	adapter, adapterAddress := serveAdapter(t, a)
	c.Name, c.Addresses = "jsonecho", []string{Start(t, e, adapterAddress, handlertest.Secret)}
	return func(t *testing.T) gateway.HandlerFactory {
		t.Helper()
		client, err := remote.NewClient(c, adapter)
		if err != nil {
			t.Fatal(err)
		}
		return client
	}
}

func serveAdapter(t *testing.T, cfg remote.AdapterConfig) (*remote.Adapter, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a, err := remote.NewAdapter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- a.Serve(l) }()
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_ = a.Stop(ended)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return a, l.Addr().String()
}

// currentLog is the default logger of the moment: the suite watches for passwords there, with another one in each
// scenario.
type currentLog struct{}

var _ slog.Handler = currentLog{}

func (currentLog) Enabled(context.Context, slog.Level) bool { return true }

func (currentLog) Handle(ctx context.Context, r slog.Record) error {
	return slog.Default().Handler().Handle(ctx, r)
}

func (l currentLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l currentLog) WithGroup(string) slog.Handler      { return l }
