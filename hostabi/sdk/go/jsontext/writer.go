// Package jsontext writes JSON without allocating: a [Writer] uses its buffer again for each text. (Package
// encoding/json makes a module 1.4 MB larger.)
package jsontext

import (
	"strconv"
	"unicode/utf8"
)

// MaxDepth is how deep objects and arrays may be nested.
const MaxDepth = 16

// Writer writes one JSON text, of at most max bytes:
//
//	w.Reset()
//	w.Object()
//	w.Key("temperature")
//	w.Float(21.5, 2)
//	w.EndObject()
//	conn.Publish(topic, 1, w.Written(), nil)
//
// A text that does not fit, or is not JSON (a value without its key, an object without its end), is a fault: OK is
// false and Written returns nil.
type Writer struct {
	b       []byte
	max     int
	fault   bool
	depth   int
	open    [MaxDepth]byte // the ends of what has begun
	more    bool           // a comma goes before the next value
	keyed   bool           // the key of the next value is written
	written bool           // the text is complete
}

// NewWriter returns a writer of texts of at most max bytes.
func NewWriter(most int) *Writer { return &Writer{max: most} }

// Reset starts a new text. The buffer is used again.
func (w *Writer) Reset() { *w = Writer{b: w.b[:0], max: w.max} }

// OK reports whether a whole text was written.
func (w *Writer) OK() bool { return !w.fault && w.depth == 0 && w.written }

// Written returns the text, valid until Reset, or nil if OK is false.
func (w *Writer) Written() []byte {
	if !w.OK() {
		return nil
	}
	return w.b
}

func (w *Writer) put(c byte) {
	if w.fault = w.fault || len(w.b) >= w.max; !w.fault {
		w.b = append(w.b, c)
	}
}

func (w *Writer) raw(s string) {
	if w.fault = w.fault || len(s) > w.max-len(w.b); !w.fault {
		w.b = append(w.b, s...)
	}
}

// value begins a value, after a comma if one is due.
func (w *Writer) value() {
	inObject := w.depth > 0 && w.open[w.depth-1] == '}'
	if inObject != w.keyed || w.written {
		w.fault = true
	}
	if w.more && !w.keyed {
		w.put(',')
	}
	w.more, w.keyed, w.written = true, false, w.depth == 0
}

func (w *Writer) begin(start, end byte) {
	w.value()
	if w.fault = w.fault || w.depth == MaxDepth; w.fault {
		return
	}
	w.put(start)
	w.open[w.depth] = end
	w.depth++
	w.more, w.written = false, false
}

func (w *Writer) end(c byte) {
	if w.fault = w.fault || w.depth == 0 || w.open[max(w.depth-1, 0)] != c || w.keyed; w.fault {
		return
	}
	w.depth--
	w.put(c)
	w.more, w.written = true, w.depth == 0
}

// Object begins an object.
func (w *Writer) Object() { w.begin('{', '}') }

// EndObject ends it.
func (w *Writer) EndObject() { w.end('}') }

// Array begins an array.
func (w *Writer) Array() { w.begin('[', ']') }

// EndArray ends it.
func (w *Writer) EndArray() { w.end(']') }

// Key writes the name of the next value of an object.
func (w *Writer) Key(name string) {
	if w.depth == 0 || w.open[w.depth-1] != '}' || w.keyed {
		w.fault = true
	}
	if w.more {
		w.put(',')
	}
	quote(w, name)
	w.put(':')
	w.keyed = true
}

// Text writes a string. Bytes that are not UTF-8 become U+FFFD.
func (w *Writer) Text(s string) {
	w.value()
	quote(w, s)
}

// TextBytes is [Writer.Text] of bytes, which are not copied before.
func (w *Writer) TextBytes(b []byte) {
	w.value()
	quote(w, b)
}

const hex = "0123456789abcdef"

// quote writes s in quotes.
func quote[T string | []byte](w *Writer, s T) {
	w.put('"')
	for i := 0; i < len(s) && !w.fault; {
		c := s[i]
		if c < utf8.RuneSelf {
			w.escaped(c)
			i++
			continue
		}
		n := 1
		if size := sequence(c); size > 0 && i+size <= len(s) && valid(s[i:i+size]) {
			n = size
		}
		if n == 1 {
			w.raw("\uFFFD")
		}
		for j := i; n > 1 && j < i+n; j++ {
			w.put(s[j])
		}
		i += n
	}
	w.put('"')
}

// sequence returns the length of the UTF-8 sequence that c begins.
func sequence(c byte) int {
	switch {
	case 0xc2 <= c && c < 0xe0:
		return 2
	case 0xe0 <= c && c < 0xf0:
		return 3
	case 0xf0 <= c && c < 0xf5:
		return 4
	}
	return 0
}

func valid[T string | []byte](s T) bool {
	for i := 1; i < len(s); i++ {
		if s[i]&0xc0 != 0x80 {
			return false
		}
	}
	switch s[0] {
	case 0xe0:
		return s[1] >= 0xa0
	case 0xed: // surrogates
		return s[1] < 0xa0
	case 0xf0:
		return s[1] >= 0x90
	case 0xf4:
		return s[1] < 0x90
	}
	return true
}

// escaped writes a character of ASCII inside of a string.
func (w *Writer) escaped(c byte) {
	switch {
	case c == '"' || c == '\\':
		w.put('\\')
		w.put(c)
	case c == '\n':
		w.raw(`\n`)
	case c == '\r':
		w.raw(`\r`)
	case c == '\t':
		w.raw(`\t`)
	case c < ' ':
		w.raw(`\u00`)
		w.put(hex[c>>4])
		w.put(hex[c&15])
	default:
		w.put(c)
	}
}

// Int writes a number.
func (w *Writer) Int(v int64) {
	w.value()
	var room [20]byte
	w.raw(string(strconv.AppendInt(room[:0], v, 10)))
}

// Uint writes a number.
func (w *Writer) Uint(v uint64) {
	w.value()
	var room [20]byte
	w.raw(string(strconv.AppendUint(room[:0], v, 10)))
}

// Decimal writes v divided by 10 to the power of decimals, 0 to 9, without zeros at the end: Decimal(2150, 2) writes
// 21.5. It is exact, for protocols whose values are whole tenths or hundredths.
func (w *Writer) Decimal(v int64, decimals int) {
	w.value()
	if decimals < 0 || decimals > 9 {
		w.fault = true
		return
	}
	if v < 0 {
		w.put('-')
	}
	w.decimal(magnitude(v), decimals)
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

func (w *Writer) decimal(v uint64, decimals int) {
	for ; decimals > 0 && v%10 == 0; decimals-- {
		v /= 10
	}
	var room [32]byte
	i := len(room)
	for ; v > 0 || decimals >= 0; v /= 10 {
		i--
		room[i] = byte('0' + v%10)
		if decimals--; decimals == 0 {
			i--
			room[i] = '.'
		}
	}
	w.raw(string(room[i:]))
}

// Float writes v, rounded to at most so many decimals, 0 to 9, and without zeros at the end: Float(21.299999, 2) writes
// 21.3. Infinity, NaN and values of 9e18 and more are null, because JSON or its readers do not have them.
func (w *Writer) Float(v float64, decimals int) {
	if decimals < 0 || decimals > 9 {
		w.fault = true
	}
	if !(v > -9e18 && v < 9e18) {
		w.Null()
		return
	}
	w.value()
	negative := v < 0
	if negative {
		v = -v
	}
	scale := float64(1)
	places := 0
	for ; places < decimals && float64(v*scale) < 1<<52; places++ {
		scale *= 10
	}
	for places > 0 && float64(v*scale) >= 1<<53 {
		scale /= 10
		places--
	}
	scaled := float64(v * scale)
	whole := uint64(scaled)
	if scaled-float64(whole) >= 0.5 {
		whole++
	}
	if negative && whole > 0 {
		w.put('-')
	}
	w.decimal(whole, places)
}

// Bool writes true or false.
func (w *Writer) Bool(v bool) {
	w.value()
	if v {
		w.raw("true")
	} else {
		w.raw("false")
	}
}

// Null writes null.
func (w *Writer) Null() {
	w.value()
	w.raw("null")
}
