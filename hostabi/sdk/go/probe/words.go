package main

import "strconv"

// words splits a line into words. bad is set at the first error.
type words struct {
	rest string
	more bool // there is a space before rest
	bad  bool
}

// word returns the next word, which is required.
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

// number returns the next word as a decimal 32-bit number.
func (w *words) number() uint32 {
	word := w.word()
	n, err := strconv.ParseUint(word, 10, 32)
	w.bad = w.bad || err != nil || len(word) > 10
	return uint32(n)
}

// text returns the rest of the line, which may be empty.
func (w *words) text() string {
	text := w.rest
	w.rest, w.more = "", false
	return text
}

// whole reports whether the line was correct and nothing is left of it.
func (w *words) whole() bool { return !w.bad && !w.more }
