// Package gbk converts between UTF-8 and GBK, the encoding of texts from Chinese devices, as Windows does (code page
// 936). It adds 60 KB to a module, and characters for private use are not converted.
package gbk

import (
	_ "embed"
	"unicode/utf8"
)

// table has the characters and their order, as hostabi/sdk/gbktable writes them.
//
//go:embed table.bin
var table string

// The pairs of bytes: 190 for each first one.
const (
	width = 190
	pairs = 126 * width
)

func at(i int) int { return int(table[2*i]) | int(table[2*i+1])<<8 }

// Append appends the UTF-8 of GBK text to b. Bytes that are not GBK become U+FFFD.
func Append(b, text []byte) []byte {
	for len(text) > 0 {
		r, n := decode(text)
		b = utf8.AppendRune(b, r)
		text = text[n:]
	}
	return b
}

func decode(text []byte) (r rune, n int) {
	first := text[0]
	switch {
	case first < 0x80:
		return rune(first), 1
	case first == 0x80:
		return '€', 1
	case first == 0xff || len(text) == 1 || text[1] < 0x40 || text[1] == 0x7f || text[1] == 0xff:
		return utf8.RuneError, 1
	}
	i := int(first-0x81)*width + int(text[1]-0x40)
	if text[1] > 0x7f {
		i--
	}
	if c := at(i); c != 0 {
		return rune(c), 2
	}
	return utf8.RuneError, 2
}

// AppendGBK appends the GBK of a UTF-8 text to b. Characters that GBK does not have become ?, and ok is false.
func AppendGBK(b []byte, text string) (out []byte, ok bool) {
	ok = true
	for _, r := range text {
		switch i := find(r); {
		case r < utf8.RuneSelf:
			b = append(b, byte(r))
		case r == '€':
			b = append(b, 0x80)
		case i < 0:
			b, ok = append(b, '?'), false
		default:
			second := byte(i%width) + 0x40
			if second >= 0x7f {
				second++
			}
			b = append(b, byte(i/width)+0x81, second)
		}
	}
	return b, ok
}

// find returns the index of the pair of r, or -1.
func find(r rune) int {
	if r < utf8.RuneSelf || r > 0xffff {
		return -1
	}
	inOrder := func(i int) int { return at(pairs + i) }
	if i := search(int(r), len(table)/2-pairs, inOrder); i >= 0 {
		return i
	}
	// Two parts of the table are themselves in order.
	if i := search(int(r), 32*width, func(i int) int { return i }); i >= 0 {
		return i
	}
	return search(int(r), 83*96, func(i int) int { return (41+i/96)*width + i%96 })
}

// search returns the index of r among n pairs that are in order, or -1.
func search(r, n int, pair func(int) int) int {
	low, high := 0, n
	for low < high {
		middle := (low + high) / 2
		switch c := at(pair(middle)); {
		case c == r:
			return pair(middle)
		case c < r:
			low = middle + 1
		default:
			high = middle
		}
	}
	return -1
}
