package meter

import "encoding/binary"

// weight returns the cost of an instruction, in ordinary instructions.
func weight(in instruction) int {
	switch op := in.op; {
	case op >= 0x6d && op <= 0x70, op >= 0x7f && op <= 0x82: // integer division
		return 8
	case op == 0x91, op == 0x95, op == 0x9f, op == 0xa3: // float square root and division
		return 8
	case op == opCallByTable:
		return 4
	case op == opVector:
		return 4
	case op == opBranchTable:
		return 2
	case op == opMemoryGrow, op == opRefFunc: // leave compiled code
		return 64
	case op == opMisc && in.sub >= miscMemoryInit:
		return 64
	}
	return 1
}

// operandUnit returns how much of the operand on top of the stack one unit of fuel pays for, as a power of two; 0 if
// the operand is not a length.
func operandUnit(sub uint32) byte {
	switch sub {
	case miscMemoryInit, miscMemoryCopy, miscMemoryFill:
		return 6 // bytesPerUnit
	case miscTableInit, miscTableCopy, miscTableGrow, miscTableFill:
		return 3 // elementsPerUnit
	}
	return 0
}

const paddedLength = 5

// putPadded writes v, which must be below 1<<31, as a signed LEB128 number of five bytes.
func putPadded(b []byte, v uint32) {
	for i := range paddedLength - 1 {
		b[i] = byte(v>>(7*i))&0x7f | 0x80
	}
	b[paddedLength-1] = byte(v >> 28)
}

// newCharge emits code that takes a fixed amount of fuel. The amount is filled in when it is known.
func (f *function) newCharge(weight int) int {
	f.fuel(opGlobalGet)
	f.emit(opI64Const)
	f.charges = append(f.charges, charge{len(f.out), weight})
	f.emit(make([]byte, paddedLength)...)
	f.take()
	return len(f.charges) - 1
}

// chargeOperand emits code that takes fuel for the i32 length on top of the stack, and leaves the length there. The sum
// is below 1<<33.
func (f *function) chargeOperand(unit byte) {
	f.local(opLocalTee)
	f.fuel(opGlobalGet)
	f.local(opLocalGet)
	f.emit(opI64ExtendU, opI64Const, unit, opI64ShrU, opI64Const, 1, opI64Add)
	f.take()
}

// chargeGrown emits code that takes fuel for the pages that memory.grow added, or records that it failed. The result of
// memory.grow stays on the stack.
func (f *function) chargeGrown() {
	f.ifRefused(RefusedMemory)
	f.emit(opElse)
	f.fuel(opGlobalGet)
	f.emit(opMemorySize, 0)
	f.local(opLocalGet)
	f.emit(opI32Sub, opI64ExtendU, opI64Const)
	f.out = binary.AppendUvarint(f.out, unitsPerPage)
	f.emit(opI64Mul)
	f.take()
	f.emit(opEnd)
	f.local(opLocalGet)
}

// noteTable emits code that records a failed table.grow. Its result stays on the stack.
func (f *function) noteTable() {
	f.ifRefused(RefusedTable)
	f.emit(opEnd)
	f.local(opLocalGet)
}

// ifRefused emits a block that runs if the result on top of the stack is -1, and records what was refused in it. The
// result is stored in the scratch local.
func (f *function) ifRefused(what byte) {
	f.local(opLocalTee)
	f.emit(opI32Const, 0x7f, opI32Eq, opIf, 0x40)
	f.global(opGlobalGet, f.module.globals+1)
	f.emit(opI32Const, what, opI32Or)
	f.global(opGlobalSet, f.module.globals+1)
}

// take emits code that subtracts the i64 on top of the stack from the fuel below it, and traps if the result is
// negative.
func (f *function) take() {
	f.emit(opI64Sub)
	f.fuel(opGlobalSet)
	f.fuel(opGlobalGet)
	f.emit(opI64Const, 0, opI64LtS, opIf, 0x40, opUnreachable, opEnd)
}

func (f *function) emit(b ...byte) { f.out = append(f.out, b...) }

func (f *function) fuel(op byte) { f.global(op, f.module.globals) }

func (f *function) global(op byte, index int) {
	f.out = binary.AppendUvarint(append(f.out, op), uint64(index))
}

func (f *function) local(op byte) {
	f.scratchUsed = true
	f.out = binary.AppendUvarint(append(f.out, op), uint64(f.scratch))
}
