package meter

import (
	"fmt"
)

// Section ids of the binary format.
const (
	sectionCustom = iota
	sectionType
	sectionImport
	sectionFunction
	sectionTable
	sectionMemory
	sectionGlobal
	sectionExport
	sectionStart
	sectionElement
	sectionCode
	sectionData
	sectionDataCount
	sections
)

// sectionOrder is the order of the sections in a file.
var sectionOrder = [...]byte{
	sectionType, sectionImport, sectionFunction, sectionTable, sectionMemory, sectionGlobal, sectionExport,
	sectionStart, sectionElement, sectionDataCount, sectionCode, sectionData,
}

var sectionNames = [sections]string{
	"custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data",
	"data count",
}

var header = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// functionSignature is a function type, as value types.
type functionSignature struct {
	params, results []byte
}

// table is a table to be emitted.
type table struct {
	element  byte
	min, max uint32
}

// module is the information that the rewriting needs.
type module struct {
	limits   Options
	bounds   bounds
	checking bool // nothing is rewritten; tail calls and extended constants are allowed
	checked  []checkedSection

	signatures  []functionSignature // by type
	imports     int                 // number of functions; nothing else may be imported
	importTypes []uint32
	functions   []uint32
	tables      []table
	globals     int
	exports     int
	targets     int // targets of branch tables so far
	split       split
	dispatch    dispatch
	mutable     []int  // globals to export
	names       []byte // the function names of the name section, as a subsection
	offsets     Offsets

	body [sections]section
}

// section is the content of one section, without its count if put says so.
type section struct {
	present bool
	data    []byte
}

// bound returns limit, or most if limit is zero or above it.
func bound(limit uint32, most int) int {
	if limit == 0 {
		return most
	}
	return int(min(uint64(limit), uint64(most)))
}

func parse(wasm []byte, limits Options) (*module, error) {
	m := &module{limits: limits, bounds: meteredBounds}
	return m, m.parse(wasm)
}

// parse parses a whole module.
func (m *module) parse(wasm []byte) error {
	if limit := bound(m.limits.ModuleBytes, maxModuleBytes); len(wasm) > limit {
		return fmt.Errorf("a module of %d bytes: the limit is %d", len(wasm), limit)
	}
	if err := Kind(wasm); err != nil {
		return err
	}
	r := &reader{data: wasm, pos: len(header), extended: m.checking}
	place := 0
	for !r.done() {
		id := r.byte()
		content := r.sub(r.u32())
		if r.err != nil {
			break
		}
		if id == sectionCustom {
			m.custom(content)
			continue
		}
		next, err := sectionPlace(id, place)
		if err != nil {
			return err
		}
		place = next
		if m.checking {
			m.checked = append(m.checked, checkedSection{id, content.data})
		}
		if err := m.section(id, content); err != nil {
			return fmt.Errorf("%s section: %w", sectionNames[id], err)
		}
	}
	if r.err != nil {
		return r.err
	}
	if len(m.functions) != 0 && !m.body[sectionCode].present {
		return fmt.Errorf("%d functions and no code section", len(m.functions))
	}
	return nil
}

// sectionPlace returns the position after section id, which must not be before place.
func sectionPlace(id byte, place int) (int, error) {
	if id >= sections {
		return 0, fmt.Errorf("section %d is not one of WebAssembly 2.0", id)
	}
	for i, s := range sectionOrder {
		if s == id && i >= place {
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("the %s section is duplicate or out of order", sectionNames[id])
}

func (m *module) section(id byte, r *reader) error {
	m.body[id] = section{present: true, data: r.data}
	switch id {
	case sectionType:
		m.types(r)
	case sectionImport:
		m.imported(r)
	case sectionFunction:
		m.declared(r)
	case sectionTable:
		m.table(r)
	case sectionMemory:
		m.memory(r)
	case sectionGlobal:
		m.global(r)
	case sectionExport:
		m.export(r)
	case sectionStart, sectionDataCount:
		r.u32()
	case sectionElement:
		m.elements(r)
	case sectionCode:
		m.code(r)
	case sectionData:
		m.dataSegments(r)
	}
	return r.end("the section")
}
