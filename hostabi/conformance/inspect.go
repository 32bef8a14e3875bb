package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/exgate/exgate/hostabi"
)

// Facts is what a module declares.
type Facts struct {
	Bytes       int      `json:"bytes"`
	SHA256      string   `json:"sha256"`
	Exports     []string `json:"exports"`      // functions
	Imports     []string `json:"imports"`      // from exproto_v1
	WASI        []string `json:"wasi"`         // from wasi_snapshot_preview1
	Foreign     []string `json:"foreign"`      // from any other module, which no host provides
	MemoryPages uint32   `json:"memory_pages"` // initial size, in pages of 64 KiB
	MaxPages    *uint32  `json:"max_pages"`    // nil if the module sets no maximum
}

// Inspect reports what a module declares. It returns an error if module is not a module, and as problem the result of
// [hostabi.Check], which says why it is not a guest. Function bodies are not looked at.
func Inspect(ctx context.Context, module []byte) (f Facts, problem, err error) {
	sum := sha256.Sum256(module)
	f = Facts{Bytes: len(module), SHA256: hex.EncodeToString(sum[:])}
	// nothing is run, and an interpreter is created faster
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer func() { _ = r.Close(ctx) }()
	code, err := hostabi.Outline(ctx, r, module)
	if err != nil {
		return f, nil, fmt.Errorf("reading the module: %w", err)
	}
	f.read(code)
	return f, hostabi.Check(code), nil
}

func (f *Facts) read(code wazero.CompiledModule) {
	f.Exports = slices.Sorted(maps.Keys(code.ExportedFunctions()))
	for _, function := range code.ImportedFunctions() {
		f.addImport(function)
	}
	for _, names := range []*[]string{&f.Imports, &f.WASI, &f.Foreign} {
		slices.Sort(*names)
		*names = slices.Compact(*names)
	}
	for _, memory := range code.ExportedMemories() {
		f.MemoryPages = memory.Min()
		if pages, ok := memory.Max(); ok {
			f.MaxPages = &pages
		}
	}
}

func (f *Facts) addImport(function api.FunctionDefinition) {
	from, name, _ := function.Import()
	switch from {
	case hostabi.ModuleName:
		f.Imports = append(f.Imports, name)
	case hostabi.WASIModuleName:
		f.WASI = append(f.WASI, name)
	default:
		f.Foreign = append(f.Foreign, from+"."+name)
	}
}
