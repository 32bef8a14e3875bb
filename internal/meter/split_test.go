package meter

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// start instantiates a module that was taken apart and writes its data.
func start(t testing.TB, p Parts) api.Module {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithMemoryLimitPages(options.MemoryPages))
	t.Cleanup(func() { _ = r.Close(ctx) })
	m, err := r.Instantiate(ctx, p.Module)
	if err != nil {
		t.Fatal(err)
	}
	m.ExportedGlobal(FuelGlobal).(api.MutableGlobal).Set(1_000_000)
	for _, d := range p.Data {
		m.Memory().Write(d.Offset, d.Bytes)
	}
	return m
}

// A module that is taken apart has its data and mutable globals outside.
func TestSplitTakesDataAndGlobalsOut(t *testing.T) {
	secret := []byte("the data of the module")
	p, err := Split(wasmtest.Module{
		Pages: 1, Data: []wasmtest.Data{{Offset: 100, Bytes: secret}, {Offset: 7, Bytes: []byte("x")}},
		Globals: []byte{
			3, wasmtest.I32, 1, 0x41, 1, 0x0b, wasmtest.I64, 0, 0x42, 2, 0x0b, wasmtest.I64, 1, 0x42, 3, 0x0b,
		},
		Funcs: []wasmtest.Func{
			{Export: "f", Results: []byte{wasmtest.I32}, Code: append(wasmtest.Signed([]byte{0x41}, 100), 0x2d, 0, 0,
				0x0b)},
		},
	}.Bytes(), options)
	if err != nil || p.Whole != "" {
		t.Fatal(err, p.Whole)
	}
	if bytes.Contains(p.Module, secret) || len(p.Data) != 2 || p.Data[0].Offset != 100 ||
		!bytes.Equal(p.Data[0].Bytes, secret) {
		t.Errorf("the data is %v", p.Data)
	}
	if got := strings.Join(p.Globals, " "); got != "exgate_global_0 exgate_global_2" {
		t.Errorf("the globals are %s", got)
	}
	m := start(t, p)
	if got := m.ExportedGlobal("exgate_global_2").Get(); got != 3 {
		t.Errorf("global 2 is %d", got)
	}
	if result, err := m.ExportedFunction("f").Call(t.Context()); err != nil || result[0] != 't' {
		t.Errorf("%v %v", result, err)
	}
}

// byTable calls the function at its parameter in a table, whose elements begin at so many.
func byTable(at uint32, more ...byte) wasmtest.Module {
	m := wasmtest.Module{Pages: 1, Table: at + 70, ElementsAt: at, Funcs: []wasmtest.Func{
		{
			Export: "f", Params: []byte{wasmtest.I32}, Results: []byte{wasmtest.I32},
			Code: append(more, 0x41, 5, 0x20, 0, 0x11, 1, 0, 0x0b),
		},
		{Params: []byte{wasmtest.I32}, Results: []byte{wasmtest.I32}, Code: []byte{0x20, 0, 0x41, 1, 0x6a, 0x0b}},
		{Params: []byte{wasmtest.I32}, Results: []byte{wasmtest.I32}, Code: []byte{0x20, 0, 0x41, 2, 0x6a, 0x0b}},
		{Code: []byte{0x0b}},
	}}
	m.Elements = []uint64{1, 2}
	for range 64 {
		m.Elements = append(m.Elements, 3)
	}
	return m
}

// A table that never changes is removed from the instances, without a visible difference.
func TestTableBecomesBranches(t *testing.T) {
	few := byTable(900)
	few.Elements = few.Elements[:10]
	exported := byTable(900)
	exported.Exports, exported.Extra = append(wasmtest.Name(nil, "t"), 1, 0), 1
	for _, c := range []struct {
		name   string
		module wasmtest.Module
		used   bool
	}{
		{"as Go's linker puts it", byTable(900), true},
		{"from the first element on", byTable(0), true},
		{"a small table", few, false},
		{"an exported table", exported, false},
		{"a module that reads the table", byTable(900, 0x41, 0, 0x25, 0, 0x1a), false},
		{"a module that reads its size", byTable(900, 0xfc, 16, 0, 0x1a), false},
		{"a module that refers to a function", byTable(900, 0xd2, 1, 0x1a), false},
		{"a module that changes the table", byTable(900, 0x41, 0, 0xd0, 0x70, 0x26, 0), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := parseForDispatch(c.module.Bytes(), options)
			if err != nil || m.dispatch.used != c.used {
				t.Fatalf("replaced %v, want %v (%v)", m.dispatch.used, c.used, err)
			}
			p, err := Split(c.module.Bytes(), options)
			if err != nil {
				t.Fatal(err)
			}
			expectCalls(t, start(t, p), uint64(c.module.ElementsAt))
		})
	}
}

// expectCalls calls the two functions of byTable, a null entry, one of another type and one out of bounds.
func expectCalls(t *testing.T, m api.Module, at uint64) {
	t.Helper()
	for i, want := range []uint64{6, 7} {
		if result, err := m.ExportedFunction("f").Call(t.Context(), at+uint64(i)); err != nil || result[0] != want {
			t.Errorf("element %d: %v %v", i, result, err)
		}
	}
	for _, index := range []uint64{at + 2, at + 65, at + 66, at + 70, at + 1<<31, 1<<32 - 1} {
		if _, err := m.ExportedFunction("f").Call(t.Context(), index); err == nil {
			t.Errorf("a call of element %d ends well", index)
		}
	}
}

// FuzzSplit: what wazero takes and is taken apart, wazero takes again, with its data inside the file.
func FuzzSplit(f *testing.F) {
	seeds(f)
	f.Add(byTable(900).Bytes())
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx,
		wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2).WithMemoryLimitPages(options.MemoryPages))
	f.Fuzz(func(t *testing.T, wasm []byte) {
		p, err := Split(wasm, options)
		if err != nil {
			return
		}
		_, errBefore := r.CompileModule(ctx, wasm)
		after, errAfter := r.CompileModule(ctx, p.Module)
		if errBefore == nil && errAfter != nil {
			t.Errorf("wazero refuses the module that was taken apart: %v", errAfter)
		}
		if errAfter == nil {
			_ = after.Close(ctx)
		}
		total := 0
		for _, d := range p.Data {
			total += len(d.Bytes)
		}
		if total > len(wasm) {
			t.Errorf("%d bytes of data in a file of %d", total, len(wasm))
		}
	})
}
