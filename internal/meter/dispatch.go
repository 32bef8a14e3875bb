package meter

import "slices"

// dispatch replaces the table of a module that never changes it, and only calls through it, by functions that branch to
// direct calls. A table costs each instance 8 bytes an element and 24 for each function in it: half of what a Go guest
// takes besides its memory.
//
// For each type that is called by table there is one dispatcher, which takes the index after the parameters. What is
// outside the table, empty or of another type traps, as before.
type dispatch struct {
	wanted bool
	used   bool // decided before the code is read
	unfit  bool // something else than a call sees the table, or it is too much

	at       uint32 // where the next element goes
	elements []element
	first    uint32   // index of slots[0] in the table
	slots    []uint32 // 1 + the index of the function, 0 where the table is empty
	types    []uint32 // those that have a dispatcher
}

// element is a function's place in the table. The last one at a place counts.
type element struct{ at, function uint32 }

const (
	minDispatch     = 64       // functions in a table that are worth it
	maxDispatch     = 32 << 10 // slots
	maxDispatchSize = 1 << 20  // slots of all dispatchers
)

// parseForDispatch reads a module and replaces its table where nothing sees the difference.
func parseForDispatch(wasm []byte, o Options) (*module, error) {
	m := &module{limits: o, bounds: meteredBounds, dispatch: dispatch{wanted: true}}
	err := m.parse(wasm)
	if d := &m.dispatch; d.used && (d.unfit || m.split.whole != "") {
		return parse(wasm, o)
	}
	return m, err
}

// segment reads the offset of an active segment.
func (d *dispatch) segment(table uint32, r *reader) {
	offset, ok := r.constant()
	if !ok || table != 0 {
		d.unfit = true
	}
	d.at = uint32(offset)
}

// element takes an element of the segment that is read.
func (d *dispatch) element(flags, function uint32) {
	if flags&segmentPassive != 0 || !d.wanted {
		return
	}
	d.elements = append(d.elements, element{d.at, function})
	d.at++
}

// decide is called when all is read but code and data.
func (d *dispatch) decide(m *module) {
	if !d.wanted || d.unfit || len(m.tables) != 1 || len(d.elements) < minDispatch {
		return
	}
	first, last := d.elements[0].at, uint32(0)
	for _, e := range d.elements {
		if e.at >= m.tables[0].min || int64(e.function) >= int64(m.imports+len(m.functions)) {
			return // no instance of it can be made
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

// callDispatch puts out a call of the dispatcher for a type, in place of a call by table.
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
