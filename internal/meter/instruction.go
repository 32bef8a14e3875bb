package meter

// Opcodes that the rewriting handles.
const (
	opUnreachable     = 0x00
	opBlock           = 0x02
	opLoop            = 0x03
	opIf              = 0x04
	opElse            = 0x05
	opBranch          = 0x0c
	opBranchIf        = 0x0d
	opBranchTable     = 0x0e
	opReturn          = 0x0f
	opCall            = 0x10
	opCallByTable     = 0x11
	opTailCall        = 0x12
	opTailCallByTable = 0x13
	opDrop            = 0x1a
	opSelect          = 0x1b
	opSelectTyped     = 0x1c
	opLocalGet        = 0x20
	opLocalTee        = 0x22
	opTableGet        = 0x25
	opTableSet        = 0x26
	opFirstLoad       = 0x28
	opLastStore       = 0x3e
	opMemorySize      = 0x3f
	opMemoryGrow      = 0x40
	opI32Eq           = 0x46
	opFirstNumber     = 0x45
	opI64LtS          = 0x53
	opI32Sub          = 0x6b
	opI32Or           = 0x72
	opI64Add          = 0x7c
	opI64Sub          = 0x7d
	opI64ShrU         = 0x88
	opI64Mul          = 0x7e
	opI64ExtendU      = 0xad
	opLastNumber      = 0xc4
	opRefIsNull       = 0xd1
	opMisc            = 0xfc
)

// Second bytes after opMisc.
const (
	miscMemoryInit = 8 + iota
	miscDataDrop
	miscMemoryCopy
	miscMemoryFill
	miscTableInit
	miscElementDrop
	miscTableCopy
	miscTableGrow
	miscTableSize
	miscTableFill
)

// Second bytes after opVector.
const (
	vectorLastMemory      = 11
	vectorConst           = 12
	vectorShuffle         = 13
	vectorFirstLane       = 21
	vectorLastLane        = 34
	vectorFirstMemoryLane = 84
	vectorLastMemoryLane  = 91
	vectorLoadZero64      = 93
)

// instruction is one instruction. index is its first immediate, if that is an index.
type instruction struct {
	op    byte
	sub   uint32 // second part of the opcode
	index uint32

	targets int // of a branch table
}

// instruction parses the next instruction and its immediates. It rejects unknown instructions.
func (r *reader) instruction(types int) instruction {
	in := instruction{op: r.byte()}
	switch op := in.op; {
	case op == opBlock || op == opLoop || op == opIf:
		r.blockType(types)
	case op == opBranchTable:
		in.targets = r.count("branch targets", maxBranchTargets) + 1
		for range in.targets {
			r.u32()
		}
	case op == opBranch || op == opBranchIf || op == opCall || op >= opLocalGet && op <= opTableSet || op == opRefFunc:
		in.index = r.u32()
	case op == opCallByTable:
		in.index = r.u32()
		r.u32()
	case op == opTailCall && r.extended:
		r.u32()
	case op == opTailCallByTable && r.extended:
		r.u32()
		r.u32()
	case op == opSelectTyped:
		for range r.count("types of select", 1) {
			r.valueType()
		}
	case op >= opFirstLoad && op <= opLastStore:
		r.memoryArgument()
	case op == opMemorySize || op == opMemoryGrow:
		r.zero()
	case op == opI32Const:
		r.signed(32)
	case op == opI64Const:
		r.signed(64)
	case op == opF32Const:
		r.bytes(4)
	case op == opF64Const:
		r.bytes(8)
	case op == opRefNull:
		r.refType()
	case op == opMisc:
		in.sub = r.misc()
	case op == opVector:
		in.sub = r.vector()
	case op <= 0x01 || op == opElse || op == opEnd || op == opReturn || op == opDrop || op == opSelect ||
		op >= opFirstNumber && op <= opLastNumber || op == opRefIsNull:
	default:
		r.fail("instruction %#x is not one of WebAssembly 2.0", op)
	}
	return in
}

func (r *reader) blockType(types int) {
	if r.err != nil || r.left() == 0 {
		r.fail("the file ends too early")
		return
	}
	switch b := r.data[r.pos]; {
	case b == 0x40:
		r.pos++
	case b&0xc0 == 0x40:
		r.valueType()
	default:
		if t := r.signed(33); r.err == nil && (t < 0 || t >= int64(types)) {
			r.fail("block type %d of %d types", t, types)
		}
	}
}

func (r *reader) memoryArgument() {
	if align := r.u32(); align > 31 {
		r.fail("alignment 2^%d", align)
	}
	r.u32()
}

func (r *reader) zero() {
	if b := r.byte(); b != 0 {
		r.fail("memory %d: there is one", b)
	}
}

func (r *reader) misc() uint32 {
	sub := uint32(r.byte())
	switch sub {
	case 0, 1, 2, 3, 4, 5, 6, 7:
	case miscMemoryInit:
		r.u32()
		r.zero()
	case miscMemoryCopy:
		r.zero()
		r.zero()
	case miscMemoryFill:
		r.zero()
	case miscTableInit, miscTableCopy:
		r.u32()
		r.u32()
	case miscDataDrop, miscElementDrop, miscTableGrow, miscTableSize, miscTableFill:
		r.u32()
	default:
		r.fail("instruction 0xfc %d is not one of WebAssembly 2.0", sub)
	}
	return sub
}

// vector parses the rest of a vector instruction. Its number must be in the shortest form, because wazero looks at one
// byte of it.
func (r *reader) vector() uint32 {
	sub := uint32(r.byte())
	if sub >= 0x80 && r.byte() != 1 {
		r.fail("malformed or unknown vector instruction")
	}
	switch {
	case sub <= vectorLastMemory || sub == vectorLoadZero64-1 || sub == vectorLoadZero64:
		r.memoryArgument()
	case sub == vectorConst || sub == vectorShuffle:
		r.bytes(16)
	case sub >= vectorFirstLane && sub <= vectorLastLane:
		r.byte()
	case sub >= vectorFirstMemoryLane && sub <= vectorLastMemoryLane:
		r.memoryArgument()
		r.byte()
	}
	return sub
}
