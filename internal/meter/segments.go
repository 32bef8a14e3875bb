package meter

// Opcodes of constant expressions.
const (
	opEnd       = 0x0b
	opGlobalGet = 0x23
	opGlobalSet = 0x24
	opI32Const  = 0x41
	opI64Const  = 0x42
	opF32Const  = 0x43
	opF64Const  = 0x44
	opRefNull   = 0xd0
	opRefFunc   = 0xd2
	opVector    = 0xfd
)

// constant parses a constant expression: one instruction and an end. It rejects global.get, because only imported
// globals may be read there and there are none. It returns the number if it is an i32.
func (r *reader) constant() (number int64, ok bool) {
	op := r.byte()
	number, ok = r.constantOf(op)
	next := r.byte()
	for r.extended && r.err == nil && next != opEnd {
		ok = false
		if !isConstantArithmetic(next) {
			r.constantOf(next)
		}
		next = r.byte()
	}
	if next != opEnd {
		r.fail("a constant of more than one instruction")
	}
	return number, ok
}

// isConstantArithmetic reports whether the instruction is one of extended constants: add, sub and mul.
func isConstantArithmetic(op byte) bool { return op >= 0x6a && op <= 0x6c || op >= 0x7c && op <= 0x7e }

// constantOf parses the rest of an instruction in a constant.
func (r *reader) constantOf(op byte) (number int64, ok bool) {
	switch op {
	case opI32Const:
		number, ok = r.signed(32), true
	case opI64Const:
		r.signed(64)
	case opF32Const:
		r.bytes(4)
	case opF64Const:
		r.bytes(8)
	case opRefNull:
		r.refType()
	case opRefFunc:
		r.u32()
	case opVector:
		if sub := r.byte(); sub != vectorConst {
			r.fail("vector instruction %#x in a constant", sub)
		}
		r.bytes(16)
	default:
		r.fail("instruction %#x in a constant", op)
	}
	return number, ok
}

// Flags of element segments.
const (
	segmentPassive     = 1
	segmentIndex       = 2 // of a table; with segmentPassive: declarative
	segmentExpressions = 4
)

func (m *module) elements(r *reader) {
	total := 0
	for range r.count("element segments", maxElements) {
		flags := r.u32()
		if flags > 7 {
			r.fail("element segment kind %d", flags)
		}
		if flags&(segmentPassive|segmentIndex) == segmentPassive {
			m.split.refuse("it has a passive element segment")
		}
		if flags&segmentPassive == 0 {
			table := uint32(0)
			if flags&segmentIndex != 0 {
				table = r.u32()
			}
			m.dispatch.segment(table, r)
		}
		if flags&(segmentPassive|segmentIndex) != 0 {
			m.elementType(r, flags&segmentExpressions != 0)
		}
		n := r.count("elements", maxElementItems)
		for range n {
			if flags&segmentExpressions != 0 {
				r.constant()
				m.dispatch.unfit = true
			} else {
				m.dispatch.element(flags, r.u32())
			}
		}
		if total += n; total > maxElementItems {
			r.fail("more than %d elements", maxElementItems)
		}
		if r.err != nil {
			return
		}
	}
}

func (m *module) elementType(r *reader, expressions bool) {
	if expressions {
		r.refType()
	} else if kind := r.byte(); kind != 0 {
		r.fail("element kind %#x", kind)
	}
}

func (m *module) dataSegments(r *reader) {
	for range r.count("data segments", maxDataSegments) {
		var offset int64
		active := true
		switch flags := r.u32(); flags {
		case 0:
			offset, active = r.constant()
		case 1:
			active = false
		case 2:
			if index := r.u32(); index != 0 {
				r.fail("data for memory %d", index)
			}
			offset, active = r.constant()
		default:
			r.fail("data segment kind %d", flags)
		}
		content := r.bytes(r.u32())
		if r.err != nil {
			return
		}
		m.keepData(active, uint32(offset), content)
	}
}
