package conformance_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/hostabi/conformance"
)

func TestInspectTellsWhatAModuleIs(t *testing.T) {
	module, err := os.ReadFile("testdata/wrong.wasm")
	if err != nil {
		t.Fatal(err)
	}
	f, problem, err := conformance.Inspect(t.Context(), module)
	if err != nil || problem != nil {
		t.Fatal(err, problem)
	}
	if f.Bytes != len(module) || len(f.SHA256) != 64 || f.MemoryPages == 0 || f.MaxPages != nil || f.WASI != nil ||
		f.Foreign != nil {
		t.Errorf("%+v", f)
	}
	if want := []string{"close", "publish", "send"}; !slices.Equal(f.Imports, want) {
		t.Errorf("imports %v", f.Imports)
	}
	if !slices.Contains(f.Exports, hostabi.ExportBytes) {
		t.Errorf("exports %v", f.Exports)
	}
}

func TestInspectNamesWhatIsMissing(t *testing.T) {
	empty := []byte("\x00asm\x01\x00\x00\x00")
	_, problem, err := conformance.Inspect(t.Context(), empty)
	if err != nil || problem == nil || !strings.Contains(problem.Error(), hostabi.ExportInit) {
		t.Errorf("got %v, %v", problem, err)
	}
	if _, _, err := conformance.Inspect(t.Context(), []byte("no module")); err == nil {
		t.Error("text is taken for a module")
	}
}
