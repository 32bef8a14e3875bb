// Package wasmfile reads and replaces sections of WebAssembly modules without parsing what they contain. It trusts
// nothing in a file: a malformed one has the sections before the malformed place. It imports none of ours.
package wasmfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"unicode/utf8"
)

// Ids of sections.
const (
	Custom   = 0
	Import   = 2
	Function = 3
	Export   = 7
)

var header = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// Sections returns the sections of a module in order, by id. Their contents are slices of it.
func Sections(module []byte) iter.Seq2[byte, []byte] {
	return func(yield func(byte, []byte) bool) {
		_ = walk(module, func(id byte, content, _ []byte) bool { return yield(id, content) })
	}
}

// CustomSections returns the custom sections of a module in order, by name. Sections whose name is malformed are left
// out.
func CustomSections(module []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		_ = walk(module, func(id byte, content, _ []byte) bool {
			r := Reader{Data: content}
			name := r.Name()
			return id != Custom || r.Failed || yield(name, r.Data)
		})
	}
}

// SetCustom returns a copy of a module in which content is the only custom section of that name. It is the last section
// of the file, or missing if content is empty.
func SetCustom(module []byte, name string, content []byte) ([]byte, error) {
	out := bytes.Clone(header)
	err := walk(module, func(id byte, inside, whole []byte) bool {
		r := Reader{Data: inside}
		if id != Custom || r.Name() != name || r.Failed {
			out = append(out, whole...)
		}
		return true
	})
	if err != nil || content == nil {
		return out, err
	}
	size := uvarintLen(len(name)) + len(name) + len(content)
	if size > math.MaxUint32 {
		return nil, fmt.Errorf("a section of %d bytes", size)
	}
	out = binary.AppendUvarint(append(out, Custom), uint64(size))
	out = append(binary.AppendUvarint(out, uint64(len(name))), name...)
	return append(out, content...), nil
}

func uvarintLen(n int) int { return len(binary.AppendUvarint(nil, uint64(n))) }

var errNoModule = errors.New("not a WebAssembly module")

// walk calls visit with each section: its id, its content, and all its bytes. It stops when visit returns false.
func walk(module []byte, visit func(id byte, content, whole []byte) bool) error {
	if !bytes.HasPrefix(module, header) {
		return errNoModule
	}
	r := Reader{Data: module[len(header):]}
	for len(r.Data) > 0 {
		from := r.Data
		id := r.Byte()
		content := r.Bytes(r.Uint32())
		if r.Failed {
			return fmt.Errorf("byte %#x: a section ends outside the file", len(module)-len(from))
		}
		if !visit(id, content, from[:len(from)-len(r.Data)]) {
			return nil
		}
	}
	return nil
}

// Reader reads the numbers and names of a section. After a failure it returns zero values.
type Reader struct {
	Data   []byte // what is left
	Failed bool
}

func (r *Reader) fail() { r.Data, r.Failed = nil, true }

// Byte reads a byte.
func (r *Reader) Byte() byte {
	if len(r.Data) == 0 {
		r.fail()
		return 0
	}
	b := r.Data[0]
	r.Data = r.Data[1:]
	return b
}

// Bytes reads n bytes.
func (r *Reader) Bytes(n uint32) []byte {
	if uint64(n) > uint64(len(r.Data)) {
		r.fail()
		return nil
	}
	b := r.Data[:n]
	r.Data = r.Data[n:]
	return b
}

// Uint32 reads an unsigned LEB128 number of at most 32 bits.
func (r *Reader) Uint32() uint32 {
	v := r.Uvarint()
	if v > math.MaxUint32 {
		r.fail()
		return 0
	}
	return uint32(v)
}

// Uvarint reads an unsigned LEB128 number of at most 64 bits.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.Data)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.Data = r.Data[n:]
	return v
}

// Name reads a name.
func (r *Reader) Name() string {
	b := r.Bytes(r.Uint32())
	if !utf8.Valid(b) {
		r.fail()
		return ""
	}
	return string(b)
}
