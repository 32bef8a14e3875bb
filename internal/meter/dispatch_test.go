package meter

import (
	"context"
	"testing"

	"github.com/exgate/exgate/internal/wasmtest"
	"github.com/tetratelabs/wazero/api"
	"pgregory.net/rapid"
)

// tabled is a module with a table of functions of four types, and a function for each type that calls by table: "call0"
// to "call3" take a number and an index.
func tabled(at uint32, elements []uint64) wasmtest.Module {
	m := wasmtest.Module{Pages: 1, Table: at + uint32(len(elements)) + 3, Elements: elements, ElementsAt: at}
	i32, i64 := byte(wasmtest.I32), byte(wasmtest.I64)
	shapes := []struct{ params, results, code []byte }{
		{[]byte{i32}, []byte{i32}, []byte{0x20, 0, 0x41, 1, 0x6a, 0x0b}},
		{[]byte{i32, i32}, []byte{i32}, []byte{0x20, 0, 0x20, 1, 0x6b, 0x0b}},
		{[]byte{i64}, []byte{i64}, []byte{0x20, 0, 0x42, 2, 0x7e, 0x0b}},
		{[]byte{i32}, []byte{i32, i32}, []byte{0x20, 0, 0x41, 7, 0x0b}},
	}
	for i := range shapes {
		m.Funcs = append(m.Funcs, wasmtest.Func{
			Export: "call" + string(rune('0'+i)), Params: []byte{i64, i32}, Results: []byte{i64}, Code: callCode(i),
		})
	}
	for _, s := range shapes {
		m.Funcs = append(m.Funcs, wasmtest.Func{Params: s.params, Results: s.results, Code: s.code})
	}
	// as type 0
	m.Funcs = append(m.Funcs, wasmtest.Func{
		Params: []byte{i32}, Results: []byte{i32}, Code: []byte{0x20, 0, 0x41, 9, 0x73, 0x0b},
	})
	return m
}

// callCode calls by table as type shape, whose function is 4 after its caller.
func callCode(shape int) []byte {
	byTable := []byte{0x20, 1, 0x11, byte(4 + shape), 0}
	switch shape {
	case 0:
		return append(append([]byte{0x20, 0, 0xa7}, byTable...), 0xad, 0x0b)
	case 1:
		return append(append([]byte{0x20, 0, 0xa7, 0x41, 3}, byTable...), 0xad, 0x0b)
	case 2:
		return append(append([]byte{0x20, 0}, byTable...), 0x0b)
	}
	return append(append([]byte{0x20, 0, 0xa7}, byTable...), 0x6a, 0xad, 0x0b)
}

// Whatever the table has, a call by table has the same outcome where the table became branches.
func TestDispatchEqualsTheTable(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		at := rapid.Uint32Range(0, 5000).Draw(rt, "at")
		elements := rapid.SliceOfN(rapid.Uint64Range(4, 8), minDispatch, minDispatch+40).Draw(rt, "elements")
		module := tabled(at, elements).Bytes()
		parts, err := Split(module, options5000)
		if err != nil {
			rt.Fatal(err)
		}
		metered, err := Rewrite(module, options5000)
		if err != nil {
			rt.Fatal(err)
		}
		branches, table := start(t, parts), start(t, metered)
		for range 20 {
			name := "call" + string(rune('0'+rapid.IntRange(0, 3).Draw(rt, "type")))
			index := at + uint32(rapid.IntRange(-2, len(elements)+5).Draw(rt, "index"))
			value := rapid.Uint64().Draw(rt, "value")
			got, want := outcome(branches, name, value, index), outcome(table, name, value, index)
			if got != want {
				rt.Fatalf("%s of element %d: %v by branches, %v by table", name, index, got, want)
			}
		}
	})
}

var options5000 = Options{MemoryPages: 1, TableElements: 6000}

type called struct {
	result  uint64
	trapped bool
}

func outcome(m api.Module, name string, value uint64, index uint32) called {
	result, err := m.ExportedFunction(name).Call(context.Background(), value, uint64(index))
	if err != nil {
		return called{trapped: true}
	}
	return called{result: result[0]}
}
