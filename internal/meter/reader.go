package meter

import (
	"fmt"
	"unicode/utf8"
)

// reader parses the binary format. The first error sticks: later reads return zero, and the position does not change.
type reader struct {
	data []byte
	pos  int
	base int // offset of data in the module, for errors
	err  error

	extended bool // accept tail calls and extended constants
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("byte %#x: "+format, append([]any{r.base + r.pos}, args...)...)
	}
}

func (r *reader) left() int { return len(r.data) - r.pos }

func (r *reader) done() bool { return r.err != nil || r.pos == len(r.data) }

func (r *reader) byte() byte {
	if r.err != nil {
		return 0
	}
	if r.pos >= len(r.data) {
		r.fail("the file ends too early")
		return 0
	}
	b := r.data[r.pos]
	r.pos++
	return b
}

func (r *reader) bytes(n uint32) []byte {
	if r.err != nil {
		return nil
	}
	if uint64(n) > uint64(r.left()) {
		r.fail("%d bytes announced, %d left", n, r.left())
		return nil
	}
	b := r.data[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return b
}

// sub returns a reader of the next n bytes and skips them.
func (r *reader) sub(n uint32) *reader {
	at := r.base + r.pos
	return &reader{data: r.bytes(n), base: at, err: r.err, extended: r.extended}
}

// u32 parses an unsigned LEB128 number of at most 5 bytes, with its unused bits zero.
func (r *reader) u32() uint32 {
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		if shift == 28 && b > 0x0f {
			break
		}
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	r.fail("malformed 32-bit number")
	return 0
}

// signed parses a signed LEB128 number of the given width. Its unused bits must repeat the sign.
func (r *reader) signed(bits int) int64 {
	var v int64
	for shift := 0; shift < bits; shift += 7 {
		b := r.byte()
		v |= int64(b&0x7f) << shift
		if b >= 0x80 {
			continue
		}
		used := bits - shift
		if used < 7 && !signExtends(b, used) {
			break
		}
		if s := shift + 7; s < 64 && b&0x40 != 0 {
			v |= -1 << s
		}
		return v
	}
	r.fail("malformed %d-bit number", bits)
	return 0
}

// signExtends reports whether the bits of b from used-1 to 6 are all equal.
func signExtends(b byte, used int) bool {
	top := b & 0x7f >> (used - 1)
	return top == 0 || top == 0x7f>>(used-1)
}

// count parses the number of items that follow. Each takes at least one byte, so a count above the number of bytes left
// is rejected before memory is allocated.
func (r *reader) count(what string, limit int) int {
	n := r.u32()
	if r.err == nil && (uint64(n) > uint64(limit) || uint64(n) > uint64(r.left())) {
		r.fail("%d %s: at most %d, and the file has %d bytes left for them", n, what, limit, r.left())
		return 0
	}
	return int(n)
}

func (r *reader) name() string {
	n := r.u32()
	if n > maxNameBytes {
		r.fail("a name of %d bytes: at most %d", n, maxNameBytes)
	}
	b := r.bytes(n)
	if !utf8.Valid(b) {
		r.fail("a name is not UTF-8")
	}
	return string(b)
}

// end rejects trailing bytes.
func (r *reader) end(what string) error {
	if r.err == nil && r.pos != len(r.data) {
		r.fail("%d trailing bytes in %s", r.left(), what)
	}
	return r.err
}
