package meter

import "encoding/binary"

// Names of the exports that the rewriting adds.
const (
	reservedPrefix = "exgate_"
	FuelGlobal     = reservedPrefix + "fuel"    // mutable i64, 0 at first
	RefusedGlobal  = reservedPrefix + "refused" // mutable i32, a set of RefusedMemory and RefusedTable
	StartFunction  = reservedPrefix + "start"   // if the module has a start function
)

// Bits of [RefusedGlobal].
const (
	RefusedMemory = 1 // a memory.grow failed
	RefusedTable  = 2 // a table.grow failed
)

// Options are limits that are checked when a module is loaded.
type Options struct {
	ModuleBytes   uint32 // of the file. If zero, 64 MiB, which is also the most
	Functions     uint32 // of the module's own functions. If zero, 200,000, which is also the most
	CodeBytes     uint32 // of all function bodies together. If zero, the size of the file
	MemoryPages   uint32 // of its initial memory, in pages of 64 KiB
	TableElements uint32 // of each table, at the start and after growing

	// Names keeps the function names, if they are well-formed. A host that resolves the functions of stack traces by
	// their index leaves it unset: names are the module's text.
	Names bool

	// Offsets makes wazero's stack traces say where in the code section each frame is, see [Offsets].
	Offsets bool
}

// Rewrite returns the metered form of a module. An error says at which byte the module is malformed, or what it
// contains that is not allowed.
func Rewrite(wasm []byte, o Options) (Parts, error) {
	m, err := parse(wasm, o)
	if err != nil {
		return Parts{}, err
	}
	return m.parts(), nil
}

func (m *module) parts() Parts { return Parts{Module: m.rewrite(), Offsets: m.offsets} }

func (m *module) rewrite() []byte {
	m.dispatch.replaceTable(m)
	m.addTables()
	m.addGlobals()
	m.addExports()
	return m.encode()
}

func (m *module) addTables() {
	if !m.body[sectionTable].present {
		return
	}
	b := binary.AppendUvarint(nil, uint64(len(m.tables)))
	for _, t := range m.tables {
		b = append(b, t.element, 1)
		b = binary.AppendUvarint(b, uint64(t.min))
		b = binary.AppendUvarint(b, uint64(t.max))
	}
	m.body[sectionTable].data = b
}

func (m *module) addGlobals() {
	b := binary.AppendUvarint(nil, uint64(m.globals+2))
	b = append(b, m.body[sectionGlobal].data...)
	b = append(b, typeI64, 1, opI64Const, 0, opEnd)
	b = append(b, typeI32, 1, opI32Const, 0, opEnd)
	m.body[sectionGlobal] = section{true, b}
}

// addExports exports the globals. It also exports the start function, and removes it as such: it may run only once
// there is fuel.
func (m *module) addExports() {
	start := m.body[sectionStart]
	n := m.exports + 2 + len(m.mutable)
	if start.present {
		n++
	}
	b := binary.AppendUvarint(nil, uint64(n))
	b = append(b, m.body[sectionExport].data...)
	for i, name := range []string{FuelGlobal, RefusedGlobal} {
		b = append(appendName(b, name), exportGlobal)
		b = binary.AppendUvarint(b, uint64(m.globals+i))
	}
	for _, index := range m.mutable {
		b = append(appendName(b, stateGlobal(index)), exportGlobal)
		b = binary.AppendUvarint(b, uint64(index))
	}
	if start.present {
		b = append(appendName(b, StartFunction), exportFunction)
		b = append(b, start.data...)
	}
	m.body[sectionStart] = section{}
	m.body[sectionExport] = section{true, b}
}

func (m *module) encode() []byte {
	out := append([]byte(nil), header...)
	for _, id := range sectionOrder {
		if s := m.body[id]; s.present {
			out = appendSized(append(out, id), s.data)
		}
	}
	return m.appendCustom(out)
}
