package meter

import (
	"encoding/binary"
	"fmt"
)

// code emits the code section with charges.
func (m *module) code(r *reader) {
	if limit := m.limits.CodeBytes; uint64(len(r.data)) > uint64(limit) && limit > 0 {
		r.fail("%d bytes of code: the limit is %d", len(r.data), limit)
	}
	n := r.count("function bodies", maxFunctions)
	if r.err == nil && n != len(m.functions) {
		r.fail("%d function bodies for %d functions", n, len(m.functions))
		return
	}
	m.dispatch.decide(m)
	var out []byte
	if !m.checking {
		out = make([]byte, 0, len(r.data)+len(r.data)/4)
	}
	start := r.base
	for i := range n {
		size := r.u32()
		if most := m.bounds.functionBytes; size > most {
			r.fail("function %d has %d bytes: at most %d", m.imports+i, size, most)
		}
		f := &function{module: m, r: r.sub(size)}
		body := f.rewrite(len(m.signatures[m.functions[i]].params))
		if r.err == nil && f.r.err != nil {
			r.err = fmt.Errorf("function %d: %w", m.imports+i, f.r.err)
		}
		if r.err != nil {
			return
		}
		if !m.checking {
			out = appendSized(out, body)
			m.offsets.add(len(out)-len(f.out), f.r.base-start, f.copies)
		}
	}
	if m.checking {
		return
	}
	count := binary.AppendUvarint(nil, uint64(n+len(m.dispatch.types)))
	m.offsets.shift(len(count))
	m.body[sectionCode].data = append(count, m.dispatch.bodies(m, out)...)
}

// function rewrites one function body.
type function struct {
	module *module
	r      *reader
	out    []byte // the emitted instructions
	copied int    // how much of r.data has been copied to out

	scratch  uint32 // an added i32 local, if scratchUsed
	locals   uint32 // parameters and locals of the module's own
	blocks   int
	branches int // includes blocks and the targets of branch tables

	scratchUsed bool
	frames      []frame
	charges     []charge
	copies      []copied // if Options.Offsets is set
}

// frame is an open block. Its instructions are added to charge, that of the innermost loop or function.
type frame struct {
	charge int
}

// charge is a place in out that takes fuel for the instructions that run together.
type charge struct {
	at     int // offset of the padded amount
	weight int
}

func (f *function) rewrite(params int) []byte {
	groups := f.readLocals(params)
	f.copied = f.r.pos
	f.open(f.newCharge(int(f.locals)))
	for len(f.frames) > 0 && f.r.err == nil {
		f.step()
	}
	if f.r.end("the function") != nil {
		return nil
	}
	f.flush(f.r.pos)
	for _, c := range f.charges {
		putPadded(f.out[c.at:], uint32(1+c.weight/weightPerUnit))
	}
	return append(f.writeLocals(groups), f.out...)
}

// readLocals returns the groups of locals unchanged.
func (f *function) readLocals(params int) (groups []byte) {
	n := f.r.count("groups of locals", maxLocalGroups)
	start, sum := f.r.pos, uint64(params)
	for range n {
		sum += uint64(f.r.u32())
		f.r.valueType()
		if most := f.module.bounds.locals; sum > most {
			f.r.fail("more than %d locals", most)
			return nil
		}
	}
	f.locals = uint32(sum)
	f.scratch = f.locals
	return f.r.data[start:f.r.pos]
}

// writeLocals emits the groups, plus one for the scratch local if it is used.
func (f *function) writeLocals(groups []byte) []byte {
	all := &reader{data: groups}
	n := uint64(0)
	for ; !all.done(); n++ {
		all.u32()
		all.byte()
	}
	if !f.scratchUsed {
		return append(binary.AppendUvarint(nil, n), groups...)
	}
	return append(append(binary.AppendUvarint(nil, n+1), groups...), 1, typeI32)
}

// step copies one instruction and adds its charges.
func (f *function) step() {
	start := f.r.pos
	in := f.r.instruction(len(f.module.signatures))
	if f.r.err != nil {
		return
	}
	f.check(in)
	f.module.keepFor(in)
	f.countBranches(in)
	top := f.frames[len(f.frames)-1]
	f.charges[top.charge].weight += weight(in)
	switch in.op {
	case opBlock, opIf:
		f.open(top.charge)
	case opLoop:
		f.flush(f.r.pos)
		f.open(f.newCharge(0))
	case opEnd:
		f.frames = f.frames[:len(f.frames)-1]
	case opCallByTable:
		if f.module.dispatch.used {
			f.flush(start)
			f.copied = f.r.pos
			f.callDispatch(in.index)
		}
	case opTableGet, opRefFunc:
		f.module.dispatch.unfit = true
	case opMemoryGrow:
		f.flush(f.r.pos)
		f.chargeGrown()
	case opMisc:
		if unit := operandUnit(in.sub); unit != 0 {
			f.flush(start)
			f.chargeOperand(unit)
		}
		if in.sub == miscTableGrow {
			f.flush(f.r.pos)
			f.noteTable()
		}
	}
}

func (f *function) open(charge int) {
	f.frames = append(f.frames, frame{charge})
	f.blocks++
	if most := f.module.bounds.nesting; len(f.frames) > most {
		f.r.fail("blocks nested more than %d deep", most)
	}
	if f.blocks*int(f.locals) > f.module.bounds.localBlocks {
		f.r.fail("%d locals and more than %d blocks in one function", f.locals, f.blocks)
	}
}

// countBranches limits what the compiler's time grows quadratically with.
func (f *function) countBranches(in instruction) {
	switch in.op {
	case opBlock, opLoop, opIf, opElse, opBranch, opBranchIf, opReturn:
		f.branches++
	case opBranchTable:
		f.branches += in.targets
		f.module.targets += in.targets
	default:
		return
	}
	switch {
	case f.branches > maxFunctionBranches:
		f.r.fail("more than %d blocks, branches and branch targets in one function", maxFunctionBranches)
	case f.module.targets > maxAllBranchTargets:
		f.r.fail("more than %d branch targets in all functions", maxAllBranchTargets)
	}
}

// check rejects access to the globals and locals that the rewriting adds.
func (f *function) check(in instruction) {
	switch {
	case (in.op == opGlobalGet || in.op == opGlobalSet) && int64(in.index) >= int64(f.module.globals):
		f.r.fail("global %d of %d", in.index, f.module.globals)
	case in.op >= opLocalGet && in.op <= opLocalTee && in.index >= f.locals:
		f.r.fail("local %d of %d", in.index, f.locals)
	}
}

// flush copies the module's own instructions up to pos.
func (f *function) flush(pos int) {
	if f.module.limits.Offsets && pos > f.copied {
		f.copies = append(f.copies, copied{to: uint32(len(f.out)), from: uint32(f.copied)})
	}
	f.out = append(f.out, f.r.data[f.copied:pos]...)
	f.copied = pos
}
