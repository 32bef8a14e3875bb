package wasm_test

import (
	"context"
	"os"
	"path"
	"testing"

	"github.com/exgate/exgate/hostabi/sdk/script"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/handlertest"
	"github.com/exgate/exgate/runtime/wasm"
	"github.com/exgate/exgate/wasm-examples/jsonecho"
)

// TestHandlerSuite plays what every kind of handler must do.
func TestHandlerSuite(t *testing.T) {
	for _, isolation := range []wasm.Isolation{wasm.IsolationShared, wasm.IsolationConnection} {
		t.Run(string(isolation), func(t *testing.T) { handlerSuite(t, isolation) })
	}
}

func handlerSuite(t *testing.T, isolation wasm.Isolation) {
	e, err := wasm.New(context.Background(), wasm.Config{
		Name: "jsonecho", Module: jsonecho.Module, Limits: wasm.Limits{MemoryPages: 1024, Fuel: 10_000_000},
		Isolation: isolation,
	})
	if err != nil {
		t.Fatal(err)
	}
	if ok, why := e.StartImage(); ok != (isolation == wasm.IsolationConnection) {
		t.Errorf("start image %v: %s", ok, why)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	handlertest.Run(t, "wasm", func(*testing.T) gateway.HandlerFactory { return shared{e} })
	handlertest.RunRawPublish(t, false,
		func(*testing.T, *gateway.RawPublisher) gateway.HandlerFactory { return shared{e} })
}

// TestAlarms plays timers, and messages with properties, with the guest of each SDK.
func TestAlarms(t *testing.T) {
	for language, file := range map[string]string{
		"C": "c/probe/probe.wasm", "Go": "go/probe/probe.wasm", "Rust": "rust/testdata/probe.wasm",
		"AssemblyScript": "assemblyscript/testdata/probe.wasm", "JavaScript": "script/testdata/probe.js",
	} {
		module, err := os.ReadFile("../../hostabi/sdk/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if path.Ext(file) == script.Ending {
			module = scriptModule(t, path.Base(file), string(module))
		}
		e, err := wasm.New(context.Background(), wasm.Config{
			Name: "probe", Module: module, Limits: wasm.Limits{MemoryPages: 1024},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		handlertest.RunAlarms(t, language, func(*testing.T) gateway.HandlerFactory { return shared{e} })
		if language == "JavaScript" {
			continue // scripts cannot publish with properties yet
		}
		handlertest.RunProperties(t, language, func(*testing.T) gateway.HandlerFactory { return shared{e} })
	}
}

// shared outlives the scenarios: compiling the module for each takes minutes under the race detector.
type shared struct{ *wasm.Engine }

func (shared) Close(context.Context) error { return nil }
