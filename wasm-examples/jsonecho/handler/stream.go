package handler

import "errors"

// maxFrame limits one JSON object, and maxStream the buffered bytes: a read of 16 KiB after an incomplete frame.
// encoding/json costs a guest about 40 units of fuel per byte.
const (
	maxFrame  = 4 << 10
	maxStream = 24 << 10
)

// maxParts limits the commas and brackets of an object. Each costs encoding/json about 800 units of a guest's fuel: 16
// KiB of them would exceed the fuel of an event.
const maxParts = 40

var (
	errNotObject = errors.New("a frame must be a JSON object")
	errTooLong   = errors.New("a frame or what waits behind it is too long")
	errTooMany   = errors.New("a frame has too many parts")
)

// stream finds the objects in the bytes from a device, however the network has cut them. It looks at each byte once.
type stream struct {
	buffer  []byte
	scanned int // of buffer
	depth   int // of braces
	parts   int
	text    bool
	escaped bool
}

// add appends received bytes.
func (s *stream) add(b []byte) error {
	if len(s.buffer)+len(b) > maxStream {
		return errTooLong
	}
	s.buffer = append(s.buffer, b...)
	return nil
}

// next returns the next complete object, which is valid until the next add, or nil if there is none yet.
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
		s.buffer = nil // a silent device holds no buffer
	}
	return nil, nil
}

// inside processes one byte of an object and reports whether it is the last.
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

// take removes the scanned bytes from the buffer.
func (s *stream) take() []byte {
	frame := s.buffer[:s.scanned:s.scanned]
	s.buffer, s.scanned, s.parts = s.buffer[s.scanned:], 0, 0
	return frame
}
