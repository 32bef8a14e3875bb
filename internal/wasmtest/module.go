// Package wasmtest assembles small modules for tests: well-formed, malformed and hostile ones.
package wasmtest

import "encoding/binary"

// Value types.
const (
	I32 = 0x7f
	I64 = 0x7e
)

// Func is a function of a module. Code ends with 0x0b.
type Func struct {
	Export  string
	Params  []byte
	Results []byte
	Locals  []byte // the locals vector; if empty, no locals
	Code    []byte
}

// Import is an imported function.
type Import struct {
	Module, Name    string
	Params, Results []byte
}

// Module is a module with one memory. Functions have indices after the imports.
type Module struct {
	Imports []Import
	Funcs   []Func
	Pages   uint32
	Table   uint32 // elements; if zero, no table
	Globals []byte // content of the global section; if empty, no globals
	Exports []byte // additional exports, counted by ExtraExports
	Extra   int
	Start   int // index of the start function; if zero, none
	Data    []Data

	// Elements are functions in the table, by index, from ElementsAt on.
	Elements   []uint64
	ElementsAt uint32
}

// Data is a data segment.
type Data struct {
	Offset  uint32
	Bytes   []byte
	Passive bool
}

func (d Data) bytes() []byte {
	b := []byte{1}
	if !d.Passive {
		b = append(Signed([]byte{0, 0x41}, int64(d.Offset)), 0x0b)
	}
	return append(binary.AppendUvarint(b, uint64(len(d.Bytes))), d.Bytes...)
}

// Guest returns the smallest module that implements exproto_v1: its buffer is at 1024, and each export returns 0.
func Guest() Module {
	zero := []byte{0x41, 0, 0x0b}
	return Module{Pages: 3, Funcs: []Func{
		{Export: "exproto_v1_buffer", Params: []byte{I32}, Results: []byte{I32}, Code: []byte{0x41, 0x80, 0x08, 0x0b}},
		{Export: "exproto_v1_init", Params: []byte{I32, I32}, Results: []byte{I32}, Code: zero},
		{Export: "exproto_v1_bytes", Params: []byte{I64, I32, I32}, Results: []byte{I32}, Code: zero},
		{Export: "exproto_v1_event", Params: []byte{I32, I64, I64, I32, I32}, Results: []byte{I32}, Code: zero},
	}}
}

// With returns the module with another body for an exported function.
func (m Module) With(export string, code ...byte) Module {
	funcs := append([]Func(nil), m.Funcs...)
	for i := range funcs {
		if funcs[i].Export == export {
			funcs[i].Code = code
		}
	}
	m.Funcs = funcs
	return m
}

// Bytes returns the binary.
func (m Module) Bytes() []byte {
	var types, imports, functions, exports, code [][]byte
	for _, i := range m.Imports {
		entry := append(Name(Name(nil, i.Module), i.Name), 0)
		imports = append(imports, binary.AppendUvarint(entry, uint64(len(types))))
		types = append(types, funcType(i.Params, i.Results))
	}
	for i, f := range m.Funcs {
		functions = append(functions, binary.AppendUvarint(nil, uint64(len(types))))
		types = append(types, funcType(f.Params, f.Results))
		if f.Export != "" {
			exports = append(exports, binary.AppendUvarint(append(Name(nil, f.Export), 0), uint64(len(m.Imports)+i)))
		}
		locals := f.Locals
		if len(locals) == 0 {
			locals = []byte{0}
		}
		body := append(append([]byte(nil), locals...), f.Code...)
		code = append(code, append(binary.AppendUvarint(nil, uint64(len(body))), body...))
	}
	exports = append(exports, append(Name(nil, "memory"), 2, 0))
	b := []byte{0, 'a', 's', 'm', 1, 0, 0, 0}
	b = Section(b, 1, vector(types))
	b = Section(b, 2, vector(imports))
	b = Section(b, 3, vector(functions))
	if m.Table > 0 {
		b = Section(b, 4, binary.AppendUvarint([]byte{1, 0x70, 0}, uint64(m.Table)))
	}
	b = Section(b, 5, binary.AppendUvarint([]byte{1, 0}, uint64(m.Pages)))
	if len(m.Globals) > 0 {
		b = Section(b, 6, m.Globals)
	}
	all := binary.AppendUvarint(nil, uint64(len(exports)+m.Extra))
	for _, e := range exports {
		all = append(all, e...)
	}
	b = Section(b, 7, append(all, m.Exports...))
	if m.Start > 0 {
		b = Section(b, 8, binary.AppendUvarint(nil, uint64(m.Start)))
	}
	if len(m.Elements) > 0 {
		b = Section(b, 9, m.elements())
	}
	b = Section(b, 10, vector(code))
	var data [][]byte
	for _, d := range m.Data {
		data = append(data, d.bytes())
	}
	if len(data) > 0 {
		b = Section(b, 11, vector(data))
	}
	return b
}

func (m Module) elements() []byte {
	b := append(Signed([]byte{1, 0, 0x41}, int64(m.ElementsAt)), 0x0b)
	b = binary.AppendUvarint(b, uint64(len(m.Elements)))
	for _, f := range m.Elements {
		b = binary.AppendUvarint(b, f)
	}
	return b
}

// Section appends a section to b.
func Section(b []byte, id byte, content []byte) []byte {
	return append(binary.AppendUvarint(append(b, id), uint64(len(content))), content...)
}

// Signed appends v as a signed LEB128 number.
func Signed(b []byte, v int64) []byte {
	for v < -64 || v > 63 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v)&0x7f)
}

// Unsigned returns v as an unsigned LEB128 number.
func Unsigned(v uint64) []byte { return binary.AppendUvarint(nil, v) }

// Name appends a name with its length to b.
func Name(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func vector(items [][]byte) []byte {
	b := binary.AppendUvarint(nil, uint64(len(items)))
	for _, i := range items {
		b = append(b, i...)
	}
	return b
}

func funcType(params, results []byte) []byte {
	b := append([]byte{0x60, byte(len(params))}, params...)
	return append(append(b, byte(len(results))), results...)
}
