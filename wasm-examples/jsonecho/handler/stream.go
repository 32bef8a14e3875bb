package handler

import "errors"

// maxFrame bounds one JSON object, and maxStream what may wait for its turn, in bytes: a read of 16 KiB behind a frame
// that is not whole. encoding/json costs a guest some 40 units of fuel for each byte.
const (
	maxFrame  = 4 << 10
	maxStream = 24 << 10
)

// maxParts bounds the commas and brackets of an object. Each costs encoding/json some 800 units of a guest's fuel: 16
// KiB of them would be more than an event has.
const maxParts = 40

var (
	errNotObject = errors.New("a frame must be a JSON object")
	errTooLong   = errors.New("a frame or what waits behind it is too long")
	errTooMany   = errors.New("a frame has too many parts")
)

// stream finds the objects in what a device sends, however the network cuts it. Each byte is looked at once.
type stream struct {
	buffer  []byte
	scanned int // of buffer
	depth   int // of braces
	parts   int
	text    bool
	escaped bool
}

// add appends what arrived.
func (s *stream) add(b []byte) error {
	if len(s.buffer)+len(b) > maxStream {
		return errTooLong
	}
	s.buffer = append(s.buffer, b...)
	return nil
}

// next returns the next whole object, which is valid until the next add, or nil where there is none yet.
func (s *stream) next() ([]byte, error) {
	for s.scanned < len(s.buffer) {
		c := s.buffer[s.scanned]
		s.scanned++
		switch {
		case s.depth > 0:
			if s.inside(c) {
				return s.take(), nil
			}
		case c == '{':
			s.depth = 1
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			s.take()
		default:
			return nil, errNotObject
		}
		if s.scanned > maxFrame {
			return nil, errTooLong
		}
		if s.parts > maxParts {
			return nil, errTooMany
		}
	}
	if len(s.buffer) == 0 {
		s.buffer = nil // a device that is silent holds no buffer
	}
	return nil, nil
}

// inside follows one byte of an object and reports whether it is the last.
func (s *stream) inside(c byte) bool {
	switch {
	case s.escaped:
		s.escaped = false
	case s.text:
		s.escaped, s.text = c == '\\', c != '"'
	case c == '"':
		s.text = true
	case c == '{':
		s.depth++
		s.parts++
	case c == '}':
		s.depth--
	case c == ',', c == '[':
		s.parts++
	}
	return s.depth == 0
}

// take removes what was scanned from the buffer.
func (s *stream) take() []byte {
	frame := s.buffer[:s.scanned:s.scanned]
	s.buffer, s.scanned, s.parts = s.buffer[s.scanned:], 0, 0
	return frame
}
