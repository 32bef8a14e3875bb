package meter

import "encoding/binary"

const functionNames = 1

// appendCustom appends the custom sections that the options ask for.
func (m *module) appendCustom(out []byte) []byte {
	if m.names != nil {
		content := append(appendName(nil, "name"), m.names...)
		out = appendSized(append(out, sectionCustom), content)
	}
	if m.limits.Offsets {
		out = appendLines(out)
	}
	return out
}

// custom keeps the function names in the name section if they are well-formed. It ignores everything else in custom
// sections: a malformed one is no reason to reject a module.
func (m *module) custom(r *reader) {
	if !m.limits.Names || m.names != nil || r.name() != "name" {
		return
	}
	for !r.done() {
		id := r.byte()
		content := r.sub(r.u32())
		if id == functionNames && r.err == nil {
			m.names = nameList(content)
		}
	}
}

// nameList returns a subsection with the function names of r, or nil.
func nameList(r *reader) []byte {
	n := r.count("names", maxFunctions)
	list := binary.AppendUvarint(nil, uint64(n))
	for range n {
		index, name := r.u32(), r.name()
		list = appendName(binary.AppendUvarint(list, uint64(index)), name)
	}
	if r.end("the names") != nil {
		return nil
	}
	return appendSized([]byte{functionNames}, list)
}

func appendName(b []byte, name string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(name))), name...)
}

func appendSized(b, content []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(content))), content...)
}
