package meter

// base is how many elements at the beginning of the table are left out: each instance has its own table of 8 bytes an element, and Go's linker
// leaves the first 4,096 empty. A call by table subtracts at from its index, so that what was below it is outside the table: both trap.
type base struct {
	wanted   bool
	at       uint32
	fixed    bool // something sees the table but for calls: its elements must stay where they are
	segments []placed
}

// placed is the offset of an active element segment, and where that constant stands in its section.
type placed struct {
	offset     uint32
	start, end int
}

// minBase is how many elements are worth an instruction in each call by table.
const minBase = 256

// parseForBase reads a module whose table begins where its elements do, where nothing sees the difference.
func parseForBase(wasm []byte, o Options) (*module, error) {
	m := &module{limits: o, base: base{wanted: true}}
	err := m.parse(wasm)
	if err == nil && m.base.at > 0 && (m.base.fixed || m.split.whole != "") {
		return parse(wasm, o)
	}
	return m, err
}

// placed reads the offset of an active element segment.
func (m *module) placed(table uint32, r *reader) {
	start := r.pos
	offset, ok := r.constant()
	if !ok || table != 0 {
		m.base.fixed = true
	}
	m.base.segments = append(m.base.segments, placed{uint32(offset), start, r.pos})
}

// chooseBase is called when all is read but code and data.
func (m *module) chooseBase() {
	b := &m.base
	if !b.wanted || b.fixed || len(m.tables) != 1 || len(b.segments) == 0 {
		return
	}
	at := m.tables[0].min
	for _, s := range b.segments {
		at = min(at, s.offset)
	}
	if at >= minBase {
		b.at = at
	}
}

// subtractBase takes the base from the index on top of the stack.
func (f *function) subtractBase() {
	f.emit(opI32Const)
	f.out = appendSigned(f.out, int64(f.module.base.at))
	f.emit(opI32Sub)
}

// moveElements puts out the element section again, with offsets from the base.
func (m *module) moveElements() {
	if m.base.at == 0 {
		return
	}
	old, copied := m.body[sectionElement].data, 0
	var b []byte
	for _, s := range m.base.segments {
		b = append(append(b, old[copied:s.start]...), opI32Const)
		b = append(appendSigned(b, int64(int32(s.offset-m.base.at))), opEnd)
		copied = s.end
	}
	m.body[sectionElement].data = append(b, old[copied:]...)
}

// appendSigned appends a signed LEB128 number.
func appendSigned(b []byte, v int64) []byte {
	for v < -64 || v > 63 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v)&0x7f)
}
