package framing

import (
	"errors"
	"slices"
)

// Escape ends each frame with a byte that its content contains only escaped: as Escape and another byte. Empty frames
// are skipped.
type Escape struct {
	// Start begins a frame. It may be End.
	Start byte
	// NoStart says that a frame begins where the last one ended, without Start.
	NoStart bool
	// End ends a frame.
	End byte
	// Escape is neither Start nor End.
	Escape byte
	// XOR is combined with the byte after Escape. If zero, Map is used.
	XOR byte
	// Map translates the bytes after Escape, 1 to 8 of them; the values must include Start, End and Escape. If zero,
	// XOR is used.
	Map []Code
	// Max is the largest length of a frame without flags and escapes, 1 to [MaxFrame].
	Max int
}

// Code is a byte that stands for Value after an escape.
type Code struct{ Code, Value byte }

func (e Escape) check() error {
	switch {
	case e.isFlag(e.Escape):
		return errors.New("framing: Escape.Escape must differ from Start and End")
	case (e.XOR == 0) == (len(e.Map) == 0):
		return errors.New("framing: one of Escape.XOR and Escape.Map must be set")
	case len(e.Map) > 8:
		return errors.New("framing: Escape.Map has more than 8 codes")
	}
	if err := e.checkCodes(); err != nil {
		return err
	}
	return within("Escape.Max", e.Max, 1, MaxFrame)
}

func (e Escape) checkCodes() error {
	for i, c := range e.Map {
		same := func(o Code) bool { return o.Code == c.Code || o.Value == c.Value }
		if e.isFlag(c.Code) || slices.ContainsFunc(e.Map[:i], same) {
			return errors.New("framing: the codes and values of Escape.Map must be unique, " +
				"and the codes must differ from Start and End")
		}
	}
	for _, special := range []byte{e.Start, e.End, e.Escape} {
		if !e.isFlag(special) && special != e.Escape {
			continue // there is no Start to escape
		}
		if code, ok := e.codeOf(special); !ok || e.isFlag(code) {
			return errors.New("framing: Start, End and Escape need codes other than Start and End in Escape.XOR or Map")
		}
	}
	return nil
}

// isFlag reports whether c is Start or End.
func (e *Escape) isFlag(c byte) bool { return c == e.End || e.isStart(c) }

func (e *Escape) isStart(c byte) bool { return c == e.Start && !e.NoStart }

// codeOf returns the byte that represents c after Escape; ok is false if c is not escaped.
func (e *Escape) codeOf(c byte) (code byte, ok bool) {
	if e.XOR != 0 && (e.isFlag(c) || c == e.Escape) {
		return c ^ e.XOR, true
	}
	for _, m := range e.Map {
		if m.Value == c {
			return m.Code, true
		}
	}
	return c, false
}

// value returns the byte that code represents after Escape.
func (e *Escape) value(code byte) (c byte, ok bool) {
	if e.XOR != 0 {
		return code ^ e.XOR, true
	}
	for _, m := range e.Map {
		if m.Code == code {
			return m.Value, true
		}
	}
	return 0, false
}

// Stuff appends the wire form of frame to b: Start, the escaped content, End.
func (e Escape) Stuff(b, frame []byte) []byte {
	if !e.NoStart {
		b = append(b, e.Start)
	}
	for _, c := range frame {
		code, ok := e.codeOf(c)
		if ok {
			b = append(b, e.Escape)
		}
		b = append(b, code)
	}
	return append(b, e.End)
}

func (e Escape) splitter() splitter {
	e.Map = slices.Clone(e.Map)
	u := &unstuffed{rules: e}
	u.reset()
	return u
}
