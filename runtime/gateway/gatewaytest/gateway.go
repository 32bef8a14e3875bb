// Package gatewaytest is what the tests of gateways, and of what is plugged into them, have in common.
package gatewaytest

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
)

// Serve has the devices of l served by handlers of f, with upstream as their broker, until the test ends. The gateway logs nothing.
func Serve(t testing.TB, l gateway.Listener, f gateway.HandlerFactory, upstream gateway.Connector, limits gateway.Limits) *gateway.Gateway {
	t.Helper()
	gw := gateway.New(gateway.Config{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := gw.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	err := errors.Join(gw.SetHandler("h", f), gw.SetConnector("c", upstream),
		gw.AddListener("l", l, gateway.ListenerConfig{Handler: "h", Connector: "c", Limits: limits}))
	if err != nil {
		t.Fatal(err)
	}
	return gw
}
