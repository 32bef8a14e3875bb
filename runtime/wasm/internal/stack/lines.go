package stack

import (
	"cmp"
	"encoding/binary"
	"path"
	"slices"
	"sort"

	"github.com/exgate/exgate/internal/wasmfile"
)

// lineSection is the DWARF section that assigns lines of source files to offsets. The others are not needed: functions
// have their names from the name section.
const lineSection = ".debug_line"

// Limits of line tables. A Rust program with its standard library has about 100,000 rows.
const (
	maxRows  = 1 << 20
	maxFiles = 64 << 10
)

// lines is the line table of a module.
type lines struct {
	rows  []row // by address
	files []string
	texts map[string][]byte // the sections that paths may be in
}

// row says that the instructions from address on belong to a line. Line 0 is the end of a sequence.
type row struct{ address, file, line uint32 }

// readLines reads the line tables of all compilation units. It stops at the first malformed one, and at the limits.
func readLines(module []byte) (l lines) {
	l.texts = map[string][]byte{}
	for name, content := range wasmfile.CustomSections(module) {
		if l.texts[name] == nil {
			l.texts[name] = content
		}
	}
	units := wasmfile.Reader{Data: l.texts[lineSection]}
	for len(units.Data) > 0 {
		unit := lineUnit{lines: &l, Reader: wasmfile.Reader{Data: units.Bytes(u32(&units))}}
		if units.Failed || !unit.read() {
			break
		}
	}
	l.texts = nil
	slices.SortStableFunc(l.rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.address, b.address), cmp.Compare(min(a.line, 1), min(b.line, 1)))
	})
	return l
}

// at returns the file and line of the instruction at an offset.
func (l lines) at(offset uint32) (file string, line int) {
	i := sort.Search(len(l.rows), func(i int) bool { return l.rows[i].address > offset }) - 1
	if i < 0 || l.rows[i].line == 0 || l.rows[i].file >= uint32(len(l.files)) {
		return "", 0
	}
	return l.files[l.rows[i].file], int(l.rows[i].line)
}

func u16(r *wasmfile.Reader) uint16 {
	b := r.Bytes(2)
	if r.Failed {
		return 0
	}
	return binary.LittleEndian.Uint16(b)
}

func u32(r *wasmfile.Reader) uint32 {
	b := r.Bytes(4)
	if r.Failed {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

// lineUnit is the line table of a compilation unit, of DWARF version 2 to 5 in its 32-bit format.
type lineUnit struct {
	wasmfile.Reader
	lines *lines

	version       uint16
	minimum       byte // bytes of the shortest instruction
	base          int8
	span          byte
	first         byte // special opcode
	operands      []byte
	folders       []string
	filesAt       uint32 // where the unit's files begin in lines.files
	address, file uint32
	line          uint32
	sequence      int // where the current sequence begins in lines.rows
}

// read adds the unit to the table. It reports false if the table is full.
func (u *lineUnit) read() bool {
	u.version = u16(&u.Reader)
	if u.version < 2 || u.version > 5 {
		return true // skip a unit of another kind
	}
	if u.version == 5 && u16(&u.Reader) != 4 { // size of addresses, and of segment selectors
		return true
	}
	program := u32(&u.Reader)
	if uint64(program) > uint64(len(u.Data)) {
		return true
	}
	head := lineUnit{Reader: wasmfile.Reader{Data: u.Data[:program]}, lines: u.lines, version: u.version}
	rest := u.Data[program:]
	if !head.header() {
		return true
	}
	*u = head
	u.Reader = wasmfile.Reader{Data: rest}
	u.begin()
	for len(u.Data) > 0 && len(u.lines.rows) < maxRows {
		u.step()
	}
	u.lines.rows = u.lines.rows[:u.sequence] // a sequence without an end
	return len(u.lines.rows) < maxRows && len(u.lines.files) < maxFiles
}

func (u *lineUnit) header() bool {
	u.minimum = u.Byte()
	if u.version >= 4 {
		u.Byte()
	}
	u.Byte() // whether rows are statements by default
	u.base, u.span, u.first = int8(u.Byte()), u.Byte(), u.Byte()
	if u.Failed || u.span == 0 || u.first == 0 {
		return false
	}
	u.operands = u.Bytes(uint32(u.first - 1))
	u.filesAt = uint32(len(u.lines.files))
	if u.version < 5 {
		u.oldFiles()
	} else {
		u.folders = u.entries(nil)
		u.lines.files = append(u.lines.files, u.entries(u.folders)...)
	}
	return !u.Failed
}

// oldFiles reads the folders and files of a unit before version 5. Files count from 1, and folder 0 is where the
// compiler ran.
func (u *lineUnit) oldFiles() {
	u.folders = []string{""}
	for name := u.text(); name != ""; name = u.text() {
		u.folders = append(u.folders, name)
	}
	u.lines.files = append(u.lines.files, "")
	for name := u.text(); name != "" && len(u.lines.files) < maxFiles; name = u.text() {
		folder := u.Uvarint()
		u.Uvarint() // modification time
		u.Uvarint() // length
		u.lines.files = append(u.lines.files, u.path(u.folders, folder, name))
	}
}

// path joins a folder and a name. Files in folder 0, where the compiler ran, have only their name.
func (u *lineUnit) path(folders []string, folder uint64, name string) string {
	if folder > 0 && folder < uint64(len(folders)) && !path.IsAbs(name) {
		name = path.Join(folders[folder], name)
	}
	return shortPath(name)
}

// shortPath returns a path without its beginning if it is long.
func shortPath(path string) string {
	if n := len(path); n > maxName {
		path = "..." + path[n-maxName+3:]
	}
	return plain(path)
}

// text reads a text that ends with a zero.
func (u *lineUnit) text() string {
	b, rest, ok := cut0(u.Data)
	if !ok {
		u.Data, u.Failed = nil, true
		return ""
	}
	u.Data = rest
	return string(b)
}

func cut0(b []byte) (before, after []byte, ok bool) {
	i := slices.Index(b, 0)
	if i < 0 || i > maxPath {
		return nil, nil, false
	}
	return b[:i], b[i+1:], true
}

const maxPath = 4096
