package meter

import "slices"

// dispatch replaces the table of a module that never changes it, and only calls through it, by functions that branch to
// direct calls. For each instance, a table takes 8 bytes per element and 24 per function in it: half of what a Go guest
// takes besides its memory.
//
// Each type called through the table gets one dispatcher, which takes the index as its last parameter. As before, it
// traps if the index is outside the table, empty or of another type.
type dispatch struct {
	wanted bool
	used   bool // decided before the code is parsed
	unfit  bool // the table is used other than by calls, or is too large

	at       uint32 // where the next element goes
	elements []element
	first    uint32   // index of slots[0] in the table
	slots    []uint32 // 1 + the index of the function, 0 where the table is empty
	types    []uint32 // the types that have a dispatcher
}

// element is a function's index in the table. The last element with an index counts.
type element struct{ at, function uint32 }

const (
	minDispatch     = 64       // the smallest number of functions worth replacing
	maxDispatch     = 32 << 10 // slots
	maxDispatchSize = 1 << 20  // slots of all dispatchers
)

// parseForDispatch parses a module and replaces its table if that makes no visible difference.
func parseForDispatch(wasm []byte, o Options) (*module, error) {
	m := &module{limits: o, bounds: meteredBounds, dispatch: dispatch{wanted: true}}
	err := m.parse(wasm)
	if d := &m.dispatch; d.used && (d.unfit || m.split.whole != "") {
		return parse(wasm, o)
	}
	return m, err
}

// segment parses the offset of an active segment.
func (d *dispatch) segment(table uint32, r *reader) {
	offset, ok := r.constant()
	if !ok || table != 0 {
		d.unfit = true
	}
	d.at = uint32(offset)
}

// element adds an element of the current segment.
func (d *dispatch) element(flags, function uint32) {
	if flags&segmentPassive != 0 || !d.wanted {
		return
	}
	d.elements = append(d.elements, element{d.at, function})
	d.at++
}

// decide is called when everything but code and data is parsed.
func (d *dispatch) decide(m *module) {
	if !d.wanted || d.unfit || len(m.tables) != 1 || len(d.elements) < minDispatch {
		return
	}
	first, last := d.elements[0].at, uint32(0)
	for _, e := range d.elements {
		if e.at >= m.tables[0].min || int64(e.function) >= int64(m.imports+len(m.functions)) {
			return // it cannot be instantiated anyway
		}
		first, last = min(first, e.at), max(last, e.at)
	}
	if last-first >= maxDispatch {
		return
	}
	d.first, d.slots = first, make([]uint32, last-first+1)
	for _, e := range d.elements {
		d.slots[e.at-first] = e.function + 1
	}
	d.used = true
}

// callDispatch emits a call of the dispatcher for a type, instead of a call through the table.
func (f *function) callDispatch(typeIndex uint32) {
	m := f.module
	d := &m.dispatch
	if int64(typeIndex) >= int64(len(m.signatures)) {
		f.r.fail("type %d of %d", typeIndex, len(m.signatures))
		return
	}
	k := slices.IndexFunc(d.types, func(t uint32) bool { return m.signatures[t].equal(m.signatures[typeIndex]) })
	if k < 0 {
		k = len(d.types)
		d.types = append(d.types, typeIndex)
		d.unfit = d.unfit || len(d.types)*len(d.slots) > maxDispatchSize
	}
	f.global(opCall, m.imports+len(m.functions)+k)
}

// bodies appends the dispatchers to the function bodies.
func (d *dispatch) bodies(m *module, out []byte) []byte {
	if d.unfit {
		return out
	}
	for _, t := range d.types {
		out = appendSized(out, d.body(m, m.signatures[t]))
	}
	return out
}
