// Package gatewaytest has doubles and helpers for tests of the gateway and of the packages that plug into it: a device
// ([Device]), a broker in memory ([Upstream]), a log, metrics, a free address.
//
// It imports runtime/gateway only, so that the tests of every package above can use it. Each type has one lock, a leaf.
package gatewaytest

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
)

// Serve runs a gateway until the test ends: devices of l get handlers of f, and upstream is their broker. It logs
// nothing.
func Serve(t testing.TB, l gateway.Listener, f gateway.HandlerFactory, upstream gateway.Connector,
	limits gateway.Limits,
) *gateway.Gateway {
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
