package meter

import "strconv"

// Parts is a metered module that is taken apart for start images: what an instance of it is, when nothing of it runs,
// is its memory and its globals.
type Parts struct {
	Module []byte

	// Whole says why the module cannot be taken apart. It is then as Rewrite returns it, and the fields below are
	// empty. If zero, the module has no data: who makes an instance writes Data into the memory before anything of it
	// runs.
	Whole string

	Data    []Data
	Globals []string // exported names of all mutable globals of the module
}

// Data is bytes that belong into the memory of a new instance. They are part of the module that was given.
type Data struct {
	Offset uint32
	Bytes  []byte
}

// maxStateGlobals is how many mutable globals are set at each start. Compilers put out one to a dozen.
const maxStateGlobals = 256

// Split is Rewrite for instances that start from an image.
func Split(wasm []byte, o Options) (Parts, error) {
	m, err := parseForDispatch(wasm, o)
	if err != nil {
		return Parts{}, err
	}
	if !m.body[sectionMemory].present {
		m.split.refuse("it has no memory")
	}
	if m.split.whole != "" {
		return Parts{Module: m.rewrite(), Whole: m.split.whole}, nil
	}
	m.body[sectionData], m.body[sectionDataCount] = section{}, section{}
	m.mutable = m.split.globals
	p := Parts{Module: m.rewrite(), Data: m.split.data}
	for _, index := range m.mutable {
		p.Globals = append(p.Globals, stateGlobal(index))
	}
	return p, nil
}

func stateGlobal(index int) string { return reservedPrefix + "global_" + strconv.Itoa(index) }

// split is what taking a module apart needs, gathered as it is read.
type split struct {
	whole   string // the first reason not to
	data    []Data
	globals []int
}

func (s *split) refuse(why string) {
	if s.whole == "" {
		s.whole = why
	}
}

// keepFor looks for instructions whose effect is neither in the memory nor in a global.
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
