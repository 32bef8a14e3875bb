package meter

import "strconv"

// Parts is a metered module that is split for start images: while an instance runs nothing, its whole state is its
// memory and its globals.
type Parts struct {
	Module []byte

	// Whole says why the module cannot be split. It is then as Rewrite returns it, and the fields below are empty. If
	// Whole is empty, Module has no data: the caller writes Data into an instance's memory before anything in it runs.
	Whole string

	Data    []Data
	Globals []string // exported names of all mutable globals of the module

	Offsets Offsets // if Options.Offsets is set
}

// Data are the initial bytes of a new instance's memory. They are slices of the given module.
type Data struct {
	Offset uint32
	Bytes  []byte
}

// maxStateGlobals limits the mutable globals that are set at each start. Compilers emit one to a dozen.
const maxStateGlobals = 256

// Split is Rewrite for instances that are started from an image.
func Split(wasm []byte, o Options) (Parts, error) {
	m, err := parseForDispatch(wasm, o)
	if err != nil {
		return Parts{}, err
	}
	if !m.body[sectionMemory].present {
		m.split.refuse("it has no memory")
	}
	if m.split.whole != "" {
		p := m.parts()
		p.Whole = m.split.whole
		return p, nil
	}
	m.body[sectionData], m.body[sectionDataCount] = section{}, section{}
	m.mutable = m.split.globals
	p := m.parts()
	p.Data = m.split.data
	for _, index := range m.mutable {
		p.Globals = append(p.Globals, stateGlobal(index))
	}
	return p, nil
}

func stateGlobal(index int) string { return reservedPrefix + "global_" + strconv.Itoa(index) }

// split collects, while parsing, what is needed to split a module.
type split struct {
	whole   string // the first reason not to split it
	data    []Data
	globals []int
}

func (s *split) refuse(why string) {
	if s.whole == "" {
		s.whole = why
	}
}

// keepFor looks for instructions with an effect that is neither in the memory nor in a global.
func (m *module) keepFor(in instruction) {
	if in.op == opTableSet {
		m.split.refuse("it changes a table (table.set)")
	}
	if in.op == opMisc && in.sub >= miscMemoryInit {
		m.dispatch.unfit = m.dispatch.unfit || in.sub == miscTableSize
		if why := stateInstructions[in.sub]; why != "" {
			m.split.refuse(why)
		}
	}
}

var stateInstructions = map[uint32]string{
	miscMemoryInit:  "it uses passive data (memory.init)",
	miscDataDrop:    "it uses passive data (data.drop)",
	miscTableInit:   "it changes a table (table.init)",
	miscElementDrop: "it uses passive elements (elem.drop)",
	miscTableCopy:   "it changes a table (table.copy)",
	miscTableGrow:   "it changes a table (table.grow)",
	miscTableFill:   "it changes a table (table.fill)",
}

func (m *module) keepGlobal(index int, valueType byte) {
	switch {
	case valueType == typeFuncref || valueType == typeExternref:
		m.split.refuse("it has a mutable global that is a reference")
	case valueType == typeV128:
		m.split.refuse("it has a mutable global that is a vector")
	case len(m.split.globals) == maxStateGlobals:
		m.split.refuse("it has more than " + strconv.Itoa(maxStateGlobals) + " mutable globals")
	default:
		m.split.globals = append(m.split.globals, index)
	}
}

func (m *module) keepData(active bool, offset uint32, content []byte) {
	if !active {
		m.split.refuse("it has a passive data segment, or one at an offset that is no number")
		m.split.data = nil
	}
	if m.split.whole == "" {
		m.split.data = append(m.split.data, Data{offset, content})
	}
}
