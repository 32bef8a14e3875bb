package stack

// Opcodes of line programs. The others among the standard ones are skipped by their number of operands.
const (
	opExtended     = 0
	opCopy         = 1
	opAdvance      = 2
	opAdvanceLine  = 3
	opFile         = 4
	opConstAdvance = 8
	opFixedAdvance = 9

	extendedEnd     = 1
	extendedAddress = 2
)

// begin begins a sequence.
func (u *lineUnit) begin() {
	u.address, u.file, u.line, u.sequence = 0, 1, 1, len(u.lines.rows)
}

func (u *lineUnit) step() {
	switch op := u.Byte(); {
	case op >= u.first:
		u.advance(uint32((op - u.first) / u.span))
		u.line += uint32(int32(u.base) + int32((op-u.first)%u.span))
		u.row()
	case op == opExtended:
		u.extended()
	case op == opCopy:
		u.row()
	case op == opAdvance:
		u.advance(u.Uint32())
	case op == opAdvanceLine:
		u.line += uint32(u.signed())
	case op == opFile:
		u.file = u.Uint32()
	case op == opConstAdvance:
		u.advance(uint32((255 - u.first) / u.span))
	case op == opFixedAdvance:
		u.address += uint32(u16(&u.Reader))
	default:
		for range u.operands[op-1] {
			u.Uvarint()
		}
	}
}

func (u *lineUnit) advance(instructions uint32) { u.address += uint32(u.minimum) * instructions }

func (u *lineUnit) extended() {
	b := u.Bytes(u.Uint32())
	if len(b) == 0 {
		return
	}
	switch b[0] {
	case extendedAddress:
		if len(b) == 5 {
			u.address = uint32(b[1]) | uint32(b[2])<<8 | uint32(b[3])<<16 | uint32(b[4])<<24
		}
	case extendedEnd:
		u.line = 0
		u.row()
		if isRemoved(u.lines.rows[u.sequence].address) {
			u.lines.rows = u.lines.rows[:u.sequence]
		}
		u.begin()
	}
}

// isRemoved reports whether a function at address was removed: linkers then write 0, -1 or -2.
func isRemoved(address uint32) bool { return address == 0 || address >= 1<<32-2 }

func (u *lineUnit) row() {
	file := u.filesAt + u.file
	if u.file >= maxFiles {
		file = maxFiles
	}
	u.lines.rows = append(u.lines.rows, row{u.address, file, u.line})
}

// signed reads a signed LEB128 number.
func (u *lineUnit) signed() (v int64) {
	for shift := 0; shift < 64; shift += 7 {
		b := u.Byte()
		v |= int64(b&0x7f) << shift
		if b < 0x80 {
			if b&0x40 != 0 && shift < 57 {
				v |= -1 << (shift + 7)
			}
			break
		}
	}
	return v
}
