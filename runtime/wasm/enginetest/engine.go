// Package enginetest makes engines for tests outside of runtime/wasm.
//
// It imports runtime/wasm and the built-in modules; only test files import it.
package enginetest

import (
	"log/slog"
	"testing"

	"github.com/exgate/exgate/runtime/wasm"
	"github.com/exgate/exgate/wasm-examples/line"
)

// New creates an engine that runs module and logs nothing. The caller closes it, or the gateway that it is given to.
func New(t testing.TB, module []byte) *wasm.Engine {
	t.Helper()
	e, err := wasm.New(t.Context(), wasm.Config{Name: "guest", Module: module, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Line creates an engine of the line protocol that is built into exgate.
func Line(t testing.TB) *wasm.Engine {
	t.Helper()
	return New(t, line.Module)
}
