package main

import "strconv"

// words takes a line apart. What is wrong with it shows at its end: bad.
type words struct {
	rest string
	more bool // there is a space before rest
	bad  bool
}

// word is the next one, which must be there.
func (w *words) word() string {
	if !w.more {
		w.bad = true
		return ""
	}
	i := 0
	for i < len(w.rest) && w.rest[i] != ' ' {
		i++
	}
	word := w.rest[:i]
	w.bad = w.bad || i == 0
	if w.more = i < len(w.rest); w.more {
		i++
	}
	w.rest = w.rest[i:]
	return word
}

// number is a word that is a decimal number of 32 bits.
func (w *words) number() uint32 {
	word := w.word()
	n, err := strconv.ParseUint(word, 10, 32)
	w.bad = w.bad || err != nil || len(word) > 10
	return uint32(n)
}

// text is all that is left, if anything.
func (w *words) text() string {
	text := w.rest
	w.rest, w.more = "", false
	return text
}

// whole reports whether the line was as it should be, and nothing is left of it.
func (w *words) whole() bool { return !w.bad && !w.more }
