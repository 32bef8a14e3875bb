package packet

import "math"

// Writer writes the fields of a frame. It holds at most max bytes: a field that does not fit is left out as a whole,
// and [Writer.OK] is false from then on.
type Writer struct {
	b    []byte
	max  int
	full bool
}

// NewWriter returns a writer of frames of at most max bytes. Use it for one frame after another: [Writer.Reset] keeps
// its memory.
func NewWriter(most int) *Writer { return &Writer{max: most} }

// Reset starts a new frame.
func (w *Writer) Reset() { w.b, w.full = w.b[:0], false }

// OK reports whether all fields fit.
func (w *Writer) OK() bool { return !w.full }

// Written returns the frame, which is valid until Reset.
func (w *Writer) Written() []byte { return w.b }

// Len returns the length of the frame so far.
func (w *Writer) Len() int { return len(w.b) }

// room reports whether n bytes fit.
func (w *Writer) room(n int) bool {
	w.full = w.full || n < 0 || n > w.max-len(w.b)
	return !w.full
}

// Bytes writes b.
func (w *Writer) Bytes(b []byte) {
	if w.room(len(b)) {
		w.b = append(w.b, b...)
	}
}

// Text writes the bytes of s.
func (w *Writer) Text(s string) {
	if w.room(len(s)) {
		w.b = append(w.b, s...)
	}
}

func (w *Writer) big(v uint64, n int) {
	if !w.room(n) {
		return
	}
	for n--; n >= 0; n-- {
		w.b = append(w.b, byte(v>>(8*n)))
	}
}

func (w *Writer) little(v uint64, n int) {
	if !w.room(n) {
		return
	}
	for i := range n {
		w.b = append(w.b, byte(v>>(8*i)))
	}
}

// Uint8 writes a number of 8 bits. For signed numbers, convert: Uint8(uint8(v)); likewise below.
func (w *Writer) Uint8(v uint8) { w.big(uint64(v), 1) }

// Uint16 writes a number of 16 bits, big-endian.
func (w *Writer) Uint16(v uint16) { w.big(uint64(v), 2) }

// Uint16LE is [Writer.Uint16], little-endian.
func (w *Writer) Uint16LE(v uint16) { w.little(uint64(v), 2) }

// Uint24 writes the lower 24 bits of v, big-endian.
func (w *Writer) Uint24(v uint32) { w.big(uint64(v), 3) }

// Uint24LE is [Writer.Uint24], little-endian.
func (w *Writer) Uint24LE(v uint32) { w.little(uint64(v), 3) }

// Uint32 writes a number of 32 bits, big-endian.
func (w *Writer) Uint32(v uint32) { w.big(uint64(v), 4) }

// Uint32LE is [Writer.Uint32], little-endian.
func (w *Writer) Uint32LE(v uint32) { w.little(uint64(v), 4) }

// Uint64 writes a number of 64 bits, big-endian.
func (w *Writer) Uint64(v uint64) { w.big(v, 8) }

// Uint64LE is [Writer.Uint64], little-endian.
func (w *Writer) Uint64LE(v uint64) { w.little(v, 8) }

// Float32 writes an IEEE 754 number of 32 bits, big-endian.
func (w *Writer) Float32(v float32) { w.Uint32(math.Float32bits(v)) }

// Float32LE is [Writer.Float32], little-endian.
func (w *Writer) Float32LE(v float32) { w.Uint32LE(math.Float32bits(v)) }

// Float64 writes an IEEE 754 number of 64 bits, big-endian.
func (w *Writer) Float64(v float64) { w.Uint64(math.Float64bits(v)) }

// Float64LE is [Writer.Float64], little-endian.
func (w *Writer) Float64LE(v float64) { w.Uint64LE(math.Float64bits(v)) }

// BCD writes v as 2n decimal digits in n bytes, at most 9, the most significant first. Higher digits are left out.
func (w *Writer) BCD(v uint64, n int) {
	if n > 9 || !w.room(n) {
		w.full = true
		return
	}
	from := len(w.b)
	w.BCDLE(v, n)
	for i, j := from, len(w.b)-1; i < j; i, j = i+1, j-1 {
		w.b[i], w.b[j] = w.b[j], w.b[i]
	}
}

// BCDLE is [Writer.BCD] with the bytes in the other order.
func (w *Writer) BCDLE(v uint64, n int) {
	if n > 9 || !w.room(n) {
		w.full = true
		return
	}
	for ; n > 0; n-- {
		w.b = append(w.b, byte(v/10%10<<4|v%10))
		v /= 100
	}
}
