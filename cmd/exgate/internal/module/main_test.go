package module

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/exgate/exgate/runtime/wasm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	repository = "../../../../"
	cProbe     = repository + "hostabi/sdk/c/probe/probe.wasm"
	cLine      = repository + "wasm-examples/line/line.wasm"
	goProbe    = repository + "hostabi/sdk/go/probe/probe.wasm"
	rustProbe  = repository + "hostabi/sdk/rust/testdata/probe.wasm"
	asProbe    = repository + "hostabi/sdk/assemblyscript/testdata/probe.wasm"
	wrongGuest = repository + "hostabi/conformance/testdata/wrong.wasm"
)

// goLimits are the limits of guests in languages with garbage collection, which takes memory and fuel. Those of
// AssemblyScript need the fuel only.
var goLimits = wasm.Limits{MemoryPages: 1024, Fuel: 20_000_000}

func open(t *testing.T, path, config string, limits wasm.Limits) *Subject {
	t.Helper()
	s, err := Open(path, config, "", limits)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
