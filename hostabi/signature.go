package hostabi

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Signature is the type of a function.
type Signature struct {
	Params  []api.ValueType
	Results []api.ValueType
}

func (s Signature) String() string {
	out := "(" + typeNames(s.Params) + ")"
	switch len(s.Results) {
	case 0:
		return out
	case 1:
		return out + " -> " + typeNames(s.Results)
	}
	return out + " -> (" + typeNames(s.Results) + ")"
}

func typeNames(types []api.ValueType) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = api.ValueTypeName(t)
	}
	return strings.Join(names, ", ")
}

func (s Signature) equal(f api.FunctionDefinition) bool {
	return slices.Equal(s.Params, f.ParamTypes()) && slices.Equal(s.Results, f.ResultTypes())
}

const (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
)

func returnsI32(params ...api.ValueType) Signature {
	return Signature{Params: params, Results: []api.ValueType{i32}}
}

// Exports returns the functions that a guest must export.
func Exports() map[string]Signature {
	return map[string]Signature{
		ExportBuffer: returnsI32(i32),
		ExportInit:   returnsI32(i32, i32),
		ExportBytes:  returnsI32(i64, i32, i32),
		ExportEvent:  returnsI32(i32, i64, i64, i32, i32),
	}
}

// Imports returns the functions of module exproto_v1.
func Imports() map[string]Signature {
	imports := make(map[string]Signature, len(functions))
	for _, f := range functions {
		imports[f.name] = f.signature
	}
	return imports
}

// Check compares a module with the contract. Its error names everything that is missing or differs.
func Check(m wazero.CompiledModule) error {
	var errs []error
	if _, ok := m.ExportedMemories()[ExportMemory]; !ok {
		errs = append(errs, fmt.Errorf("does not export its memory as %q", ExportMemory))
	}
	exports, want := m.ExportedFunctions(), Exports()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if f, ok := exports[name]; !ok {
			errs = append(errs, fmt.Errorf("does not export %s%v", name, want[name]))
		} else if !want[name].equal(f) {
			errs = append(errs, differs("exports", name, f, want[name]))
		}
	}
	if f, ok := exports[ExportInitialize]; ok && !(Signature{}).equal(f) {
		errs = append(errs, differs("exports", ExportInitialize, f, Signature{}))
	}
	for _, f := range m.ImportedFunctions() {
		if module, name, _ := f.Import(); module != ModuleName && module != WASIModuleName {
			errs = append(errs, fmt.Errorf("imports %s from %q: only %s and %s are provided", name, module, ModuleName,
				WASIModuleName))
		}
	}
	return errors.Join(append(errs, CheckImports(m, ModuleName, Imports()))...)
}

// CheckImports compares what a module imports from one other module with what that module provides.
func CheckImports(m wazero.CompiledModule, from string, have map[string]Signature) error {
	var errs []error
	for _, f := range m.ImportedFunctions() {
		module, name, _ := f.Import()
		if module != from {
			continue
		}
		if want, ok := have[name]; !ok {
			errs = append(errs, fmt.Errorf("imports %s from %s, which has no such function", name, from))
		} else if !want.equal(f) {
			errs = append(errs, differs("imports", name, f, want))
		}
	}
	return errors.Join(errs...)
}

func differs(verb, name string, f api.FunctionDefinition, want Signature) error {
	return fmt.Errorf("%s %s with %v, want %v", verb, name, Signature{f.ParamTypes(), f.ResultTypes()}, want)
}
