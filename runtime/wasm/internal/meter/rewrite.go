package meter

import "encoding/binary"

// Names under which the added globals are exported.
const (
	reservedPrefix = "exgate_"
	FuelGlobal     = reservedPrefix + "fuel"    // mutable i64
	RefusedGlobal  = reservedPrefix + "refused" // mutable i32, 1 after a memory.grow that failed
)

// Options are the limits that a module must keep as it is loaded.
type Options struct {
	MemoryPages   uint32 // what its memory may ask for at the start, in pages of 64 KiB
	TableElements uint32 // for each table, at the start and ever
	Fuel          uint32 // units that it has until FuelGlobal is set: its start function runs on them
}

// Rewrite returns the metered form of a module. An error says at which byte the module is malformed, or what it has that is not allowed.
func Rewrite(wasm []byte, o Options) ([]byte, error) {
	m, err := parse(wasm, o)
	if err != nil {
		return nil, err
	}
	m.addTables()
	m.addGlobals()
	m.addExports()
	return m.encode(), nil
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
	var fuel [paddedLength]byte
	putPadded(fuel[:], m.limits.Fuel)
	b = append(append(append(b, typeI64, 1, opI64Const), fuel[:]...), opEnd)
	b = append(b, typeI32, 1, opI32Const, 0, opEnd)
	m.body[sectionGlobal] = section{true, b}
}

func (m *module) addExports() {
	b := binary.AppendUvarint(nil, uint64(m.exports+2))
	b = append(b, m.body[sectionExport].data...)
	for i, name := range []string{FuelGlobal, RefusedGlobal} {
		b = append(appendName(b, name), exportGlobal)
		b = binary.AppendUvarint(b, uint64(m.globals+i))
	}
	m.body[sectionExport] = section{true, b}
}

func (m *module) encode() []byte {
	out := append([]byte(nil), header...)
	for _, id := range sectionOrder {
		if s := m.body[id]; s.present {
			out = appendSized(append(out, id), s.data)
		}
	}
	if m.names != nil {
		content := append(appendName(nil, "name"), m.names...)
		out = appendSized(append(out, sectionCustom), content)
	}
	return out
}
