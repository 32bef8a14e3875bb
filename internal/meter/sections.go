package meter

import "strings"

const (
	typeI32       = 0x7f
	typeI64       = 0x7e
	typeV128      = 0x7b
	typeFuncref   = 0x70
	typeExternref = 0x6f
	functionType  = 0x60
)

func (r *reader) valueType() byte {
	b := r.byte()
	if (b < typeV128 || b > typeI32) && b != typeFuncref && b != typeExternref {
		r.fail("value type %#x is not one of WebAssembly 2.0", b)
	}
	return b
}

func (r *reader) refType() byte {
	b := r.byte()
	if b != typeFuncref && b != typeExternref {
		r.fail("reference type %#x is not one of WebAssembly 2.0", b)
	}
	return b
}

// valueTypes parses a vector of value types.
func (r *reader) valueTypes(what string, limit int) []byte {
	n := r.count(what, limit)
	start := r.pos
	for range n {
		r.valueType()
	}
	return r.data[start:r.pos]
}

func (m *module) types(r *reader) {
	n := r.count("types", maxTypes)
	for range n {
		if b := r.byte(); b != functionType {
			r.fail("type %#x is not a function type", b)
		}
		t := functionSignature{
			params: r.valueTypes("parameters", maxParams), results: r.valueTypes("results", maxResults),
		}
		if r.err != nil {
			return
		}
		m.signatures = append(m.signatures, t)
	}
}

func (m *module) typeIndex(r *reader) uint32 {
	i := r.u32()
	if r.err == nil && int64(i) >= int64(len(m.signatures)) {
		r.fail("type %d of %d", i, len(m.signatures))
	}
	return i
}

func (m *module) imported(r *reader) {
	n := r.count("imports", maxImports)
	for range n {
		from, name := r.name(), r.name()
		kind := r.byte()
		if r.err != nil {
			return
		}
		if kind != 0 {
			r.fail("imports %q from %q, which is not a function: only functions are provided", name, from)
			return
		}
		m.importTypes = append(m.importTypes, m.typeIndex(r))
		m.imports++
	}
}

func (m *module) declared(r *reader) {
	n := r.count("functions", bound(m.limits.Functions, maxFunctions))
	m.functions = make([]uint32, n)
	for i := range m.functions {
		m.functions[i] = m.typeIndex(r)
	}
}

// size parses limits without the shared flag. A missing maximum is returned as top.
func (r *reader) size(top uint32) (lo, hi uint32) {
	flag := r.byte()
	if flag > 1 {
		r.fail("shared or 64-bit limits (flag %#x) are not provided", flag)
	}
	lo, hi = r.u32(), top
	if flag == 1 {
		hi = r.u32()
	}
	if lo > hi {
		r.fail("minimum %d above the maximum %d", lo, hi)
	}
	return lo, hi
}

func (m *module) table(r *reader) {
	for range r.count("tables", maxTables) {
		element := r.refType()
		lo, hi := r.size(^uint32(0))
		if lo > m.limits.TableElements {
			r.fail("a table of %d elements: the limit is %d", lo, m.limits.TableElements)
		}
		m.tables = append(m.tables, table{element, lo, min(hi, m.limits.TableElements)})
	}
}

func (m *module) memory(r *reader) {
	for range r.count("memories", 1) {
		lo, _ := r.size(1 << 16)
		if lo > m.limits.MemoryPages {
			r.fail("a memory of %d pages of 64 KiB: the limit is %d", lo, m.limits.MemoryPages)
		}
	}
}

func (m *module) global(r *reader) {
	m.globals = r.count("globals", maxGlobals)
	m.body[sectionGlobal].data = r.data[r.pos:]
	for i := range m.globals {
		t, mutable := r.valueType(), r.byte()
		if mutable > 1 {
			r.fail("mutability %#x", mutable)
		}
		r.constant()
		if mutable == 1 {
			m.keepGlobal(i, t)
		}
	}
}

const (
	exportFunction = iota
	exportTable
	exportMemory
	exportGlobal
)

func (m *module) export(r *reader) {
	m.exports = r.count("exports", maxExports)
	m.body[sectionExport].data = r.data[r.pos:]
	for range m.exports {
		name, kind, index := r.name(), r.byte(), r.u32()
		switch {
		case strings.HasPrefix(name, reservedPrefix):
			r.fail("exports %q: names that begin with %q are the host's", name, reservedPrefix)
		case kind == exportTable:
			m.dispatch.unfit = true
		case kind > exportGlobal:
			r.fail("export %q has kind %d", name, kind)
		case kind == exportGlobal && int64(index) >= int64(m.globals):
			r.fail("export %q is global %d of %d", name, index, m.globals)
		}
		if r.err != nil {
			return
		}
	}
}
