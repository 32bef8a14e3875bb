package packet

import "math"

// Reader reads the fields of a frame from front to back. A field that does not fit into the rest of the frame is a
// fault: it and all further fields are 0 or empty, and [Reader.OK] is false. The zero value reads an empty frame.
type Reader struct {
	b     []byte
	rest  int // unread bits of the byte before b[0]
	last  byte
	fault bool
}

// Read returns a reader of frame.
func Read(frame []byte) *Reader { return &Reader{b: frame} }

// OK reports whether all fields so far were in the frame, and valid.
func (r *Reader) OK() bool { return !r.fault }

// Done is [Reader.OK], and that no byte is left.
func (r *Reader) Done() bool { return !r.fault && len(r.b) == 0 }

// Len returns the number of unread bytes.
func (r *Reader) Len() int { return len(r.b) }

// Fail makes [Reader.OK] false, for a field whose value is invalid.
func (r *Reader) Fail() {
	r.fault, r.b, r.rest = true, nil, 0
}

// Bytes reads n bytes. They are a slice of the frame. Unread bits of the last byte are skipped, as by every method
// other than Bits.
func (r *Reader) Bytes(n int) []byte {
	r.rest = 0
	if n < 0 || n > len(r.b) {
		r.Fail()
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// Skip skips n bytes.
func (r *Reader) Skip(n int) { r.Bytes(n) }

// Rest reads all unread bytes.
func (r *Reader) Rest() []byte { return r.Bytes(len(r.b)) }

// big reads a number of n bytes.
func (r *Reader) big(n int) (v uint64) {
	for _, c := range r.Bytes(n) {
		v = v<<8 | uint64(c)
	}
	return v
}

func (r *Reader) little(n int) (v uint64) {
	for i, c := range r.Bytes(n) {
		v |= uint64(c) << (8 * i)
	}
	return v
}

// Uint8 reads an unsigned number of 8 bits.
func (r *Reader) Uint8() uint8 { return uint8(r.big(1)) }

// Uint16 reads an unsigned number of 16 bits, big-endian.
func (r *Reader) Uint16() uint16 { return uint16(r.big(2)) }

// Uint16LE is [Reader.Uint16], little-endian.
func (r *Reader) Uint16LE() uint16 { return uint16(r.little(2)) }

// Uint24 reads an unsigned number of 24 bits, big-endian.
func (r *Reader) Uint24() uint32 { return uint32(r.big(3)) }

// Uint24LE is [Reader.Uint24], little-endian.
func (r *Reader) Uint24LE() uint32 { return uint32(r.little(3)) }

// Uint32 reads an unsigned number of 32 bits, big-endian.
func (r *Reader) Uint32() uint32 { return uint32(r.big(4)) }

// Uint32LE is [Reader.Uint32], little-endian.
func (r *Reader) Uint32LE() uint32 { return uint32(r.little(4)) }

// Uint64 reads an unsigned number of 64 bits, big-endian.
func (r *Reader) Uint64() uint64 { return r.big(8) }

// Uint64LE is [Reader.Uint64], little-endian.
func (r *Reader) Uint64LE() uint64 { return r.little(8) }

// Int8 reads a signed number of 8 bits.
func (r *Reader) Int8() int8 { return int8(r.Uint8()) }

// Int16 reads a signed number of 16 bits, big-endian.
func (r *Reader) Int16() int16 { return int16(r.Uint16()) }

// Int16LE is [Reader.Int16], little-endian.
func (r *Reader) Int16LE() int16 { return int16(r.Uint16LE()) }

// Int32 reads a signed number of 32 bits, big-endian.
func (r *Reader) Int32() int32 { return int32(r.Uint32()) }

// Int32LE is [Reader.Int32], little-endian.
func (r *Reader) Int32LE() int32 { return int32(r.Uint32LE()) }

// Int64 reads a signed number of 64 bits, big-endian.
func (r *Reader) Int64() int64 { return int64(r.big(8)) }

// Int64LE is [Reader.Int64], little-endian.
func (r *Reader) Int64LE() int64 { return int64(r.little(8)) }

// Float32 reads an IEEE 754 number of 32 bits, big-endian.
func (r *Reader) Float32() float32 { return math.Float32frombits(r.Uint32()) }

// Float32LE is [Reader.Float32], little-endian.
func (r *Reader) Float32LE() float32 { return math.Float32frombits(r.Uint32LE()) }

// Float64 reads an IEEE 754 number of 64 bits, big-endian.
func (r *Reader) Float64() float64 { return math.Float64frombits(r.Uint64()) }

// Float64LE is [Reader.Float64], little-endian.
func (r *Reader) Float64LE() float64 { return math.Float64frombits(r.Uint64LE()) }

// BCD reads 2n decimal digits from n bytes, at most 9, the most significant first. Another digit than 0 to 9 is a
// fault.
func (r *Reader) BCD(n int) (v uint64) {
	if n > 9 {
		r.Fail()
	}
	for _, c := range r.Bytes(n) {
		v = r.digits(v, c)
	}
	return v
}

// BCDLE is [Reader.BCD] with the bytes in the other order, as on the M-Bus.
func (r *Reader) BCDLE(n int) (v uint64) {
	if n > 9 {
		r.Fail()
	}
	b := r.Bytes(n)
	for i := len(b) - 1; i >= 0; i-- {
		v = r.digits(v, b[i])
	}
	return v
}

// digits appends the digits of c to v, which is 0 after a fault.
func (r *Reader) digits(v uint64, c byte) uint64 {
	if c>>4 > 9 || c&15 > 9 {
		r.Fail()
	}
	if r.fault {
		return 0
	}
	return v*100 + uint64(c>>4*10+c&15)
}

// Bits reads n bits, at most 32, the most significant of a byte first.
func (r *Reader) Bits(n int) (v uint32) {
	if n < 0 || n > 32 || n > r.rest+8*len(r.b) {
		r.Fail()
		return 0
	}
	for ; n > 0; n-- {
		if r.rest == 0 {
			r.last, r.b, r.rest = r.b[0], r.b[1:], 8
		}
		r.rest--
		v = v<<1 | uint32(r.last>>r.rest&1)
	}
	return v
}
