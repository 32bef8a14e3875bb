package meter

import (
	"bytes"
	"encoding/binary"
	"slices"
)

func (s functionSignature) equal(other functionSignature) bool {
	return bytes.Equal(s.params, other.params) && bytes.Equal(s.results, other.results)
}

// signatureOf returns the type of an existing function.
func (m *module) signatureOf(function uint32) functionSignature {
	if int64(function) < int64(m.imports) {
		return m.signatures[m.importTypes[function]]
	}
	return m.signatures[m.functions[int(function)-m.imports]]
}

// body returns the dispatcher for a type: a branch table that branches out of one block for each function of that type.
func (d *dispatch) body(m *module, s functionSignature) []byte {
	labels, targets := d.labels(m, s)
	b := []byte{0} // no locals
	for range len(targets) + 1 {
		b = append(b, opBlock, emptyBlock)
	}
	b = appendIndex(b, opLocalGet, len(s.params))
	b = append(appendSigned(append(b, opI32Const), int64(int32(d.first))), opI32Sub, opBranchTable)
	b = binary.AppendUvarint(b, uint64(len(labels)))
	for _, l := range append(labels, len(targets)) {
		b = binary.AppendUvarint(b, uint64(l))
	}
	for _, t := range targets {
		b = append(b, opEnd)
		for i := range s.params {
			b = appendIndex(b, opLocalGet, i)
		}
		b = append(appendIndex(b, opCall, int(t)), opReturn)
	}
	return append(b, opEnd, opUnreachable, opEnd)
}

// labels returns for each slot of the table the index of its function among targets, the functions of the type; the
// number of targets if the slot has no such function.
func (d *dispatch) labels(m *module, s functionSignature) (labels []int, targets []uint32) {
	known := map[uint32]int{}
	labels = make([]int, len(d.slots))
	for i, slot := range d.slots {
		labels[i] = -1
		if slot == 0 || !m.signatureOf(slot-1).equal(s) {
			continue
		}
		l, ok := known[slot-1]
		if !ok {
			l = len(targets)
			known[slot-1] = l
			targets = append(targets, slot-1)
		}
		labels[i] = l
	}
	for i := range labels {
		if labels[i] < 0 {
			labels[i] = len(targets)
		}
	}
	return labels, targets
}

const emptyBlock = 0x40

func appendIndex(b []byte, op byte, index int) []byte {
	return binary.AppendUvarint(append(b, op), uint64(index))
}

// replaceTable declares the dispatchers and removes the table.
func (d *dispatch) replaceTable(m *module) {
	if !d.used {
		return
	}
	var types, functions []byte
	for k, t := range d.types {
		s := m.signatures[t]
		params := append(slices.Clone(s.params), typeI32)
		types = appendSized(append(types, functionType), params)
		types = appendSized(types, s.results)
		functions = binary.AppendUvarint(functions, uint64(len(m.signatures)+k))
	}
	m.body[sectionType].data = appendEntries(m.body[sectionType].data, len(d.types), types)
	m.body[sectionFunction].data = appendEntries(m.body[sectionFunction].data, len(d.types), functions)
	m.body[sectionTable], m.body[sectionElement] = section{}, section{}
}

// appendEntries adds n entries to a section that begins with their count.
func appendEntries(data []byte, n int, entries []byte) []byte {
	count, width := binary.Uvarint(data)
	return slices.Concat(binary.AppendUvarint(nil, count+uint64(n)), data[width:], entries)
}

// appendSigned appends a signed LEB128 number.
func appendSigned(b []byte, v int64) []byte {
	for v < -64 || v > 63 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v)&0x7f)
}
