package meter

import (
	"encoding/binary"
	"slices"
	"sort"
)

// Offsets maps offsets in the code section of a metered module to those in the code section of the original, which
// debug information refers to. The zero value maps every offset to itself.
type Offsets struct {
	runs []copied
}

// copied says that the instructions from on were copied to an offset. Offsets are relative to the function body while
// it is rewritten, then to the code section.
type copied struct{ to, from uint32 }

// add adds the copies of a function, whose instructions are emitted at to and whose original body is at from.
func (o *Offsets) add(to, from int, copies []copied) {
	for i, c := range copies {
		c.from += uint32(from)
		if i == 0 && c.to > 0 { // the charge at the beginning belongs to the first instruction
			o.runs = append(o.runs, copied{uint32(to), c.from})
		}
		c.to += uint32(to)
		o.runs = append(o.runs, c)
	}
}

// shift moves the emitted code by n bytes.
func (o *Offsets) shift(n int) {
	for i := range o.runs {
		o.runs[i].to += uint32(n)
	}
}

// Original returns the offset of the instruction that is at offset in the metered module. An added instruction belongs
// to the instruction after it.
func (o *Offsets) Original(offset uint32) uint32 {
	i := sort.Search(len(o.runs), func(i int) bool { return o.runs[i].to > offset }) - 1
	if i < 0 {
		return offset
	}
	from := o.runs[i].from + offset - o.runs[i].to
	if i+1 < len(o.runs) {
		from = min(from, o.runs[i+1].from)
	}
	return from
}

// appendLines appends debug information that assigns every offset to line 1 of a file without a name. Where a module
// has debug information, wazero keeps the offset of each instruction and prints it in stack traces. That of the module
// itself is hostile, refers to the original, and may be of a version that wazero does not read.
func appendLines(out []byte) []byte {
	for _, s := range debugSections {
		out = appendSized(append(out, sectionCustom), append(appendName(nil, s.name), s.content...))
	}
	return out
}

// maxOffset is above all offsets in a code section.
const maxOffset = 1 << 30

var debugSections = []struct {
	name    string
	content []byte
}{
	{".debug_abbrev", []byte{
		1, 0x11, 0, // abbreviation 1: a compilation unit without children
		0x10, 0x17, // its line program
		0x11, 0x01, // its first address
		0x12, 0x06, // its length
		0, 0, 0,
	}},
	{".debug_info", sized(slices.Concat([]byte{
		4, 0, // version
		0, 0, 0, 0, // offset of the abbreviations
		4,          // bytes of an address
		1,          // abbreviation
		0, 0, 0, 0, // offset of the line program
		1, 0, 0, 0, // first address
	}, le32(maxOffset)))},
	{".debug_line", sized(slices.Concat(
		[]byte{4, 0}, // version
		sized([]byte{
			1, 1, 1, 0, 1, 13, // bytes and operations of an instruction, default, line base and range, first opcode
			0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, // operands of the standard opcodes
			0,                  // no folders
			'-', 0, 0, 0, 0, 0, // one file
		}),
		[]byte{0, 5, 2, 1, 0, 0, 0}, // address 1
		[]byte{1},                   // a row
		[]byte{0, 5, 2}, le32(maxOffset),
		[]byte{0, 1, 1}, // the end
	))},
}

func le32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

// sized puts the length of a unit in front of it.
func sized(unit []byte) []byte { return append(le32(uint32(len(unit))), unit...) }
