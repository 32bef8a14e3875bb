package framing

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// Length is the rule for frames with a length at their head: Offset bytes, an unsigned number of Width bytes, and the
// rest. The whole frame has Offset + Width + number + Adjust bytes.
type Length struct {
	// Width is the size of the number in bytes: 1, 2 or 4.
	Width int
	// LittleEndian is the byte order of the number. If zero, big-endian.
	LittleEndian bool
	// Offset is the number of bytes before the number, 0 to 255.
	Offset int
	// Adjust corrects a number that does not count exactly the bytes after it: -Width if it includes itself, -(Offset +
	// Width) if it counts the whole frame, 2 if it omits a checksum of two bytes. -1024 to 1024. If zero, the number
	// counts the bytes after it.
	Adjust int
	// Max is the largest length of the whole frame, from Offset + Width to [MaxFrame].
	Max int
	// Strip says what to remove: nothing, or with [StripMark] everything up to the end of the number. If zero, nothing.
	Strip Strip
}

func (l Length) check() error {
	if l.Width != 1 && l.Width != 2 && l.Width != 4 {
		return errors.New("framing: Length.Width is " + strconv.Itoa(l.Width) + ", and must be 1, 2 or 4")
	}
	if err := within("Length.Offset", l.Offset, 0, 255); err != nil {
		return err
	}
	if err := within("Length.Adjust", l.Adjust, -1024, 1024); err != nil {
		return err
	}
	if err := within("Length.Strip", int(l.Strip), int(StripNothing), int(StripMark)); err != nil {
		return err
	}
	return within("Length.Max", l.Max, l.header(), MaxFrame)
}

func (l Length) splitter() splitter { return &measured{rules: l} }

func (l Length) header() int { return l.Offset + l.Width }

// whole returns the length of the frame with head b.
func (l Length) whole(b []byte) int64 {
	b = b[l.Offset:l.header()]
	var order binary.ByteOrder = binary.BigEndian
	if l.LittleEndian {
		order = binary.LittleEndian
	}
	var number uint32
	switch l.Width {
	case 1:
		number = uint32(b[0])
	case 2:
		number = uint32(order.Uint16(b))
	default:
		number = order.Uint32(b)
	}
	return int64(l.header()) + int64(number) + int64(l.Adjust)
}

// measured reads the head of each frame, then waits for the rest.
type measured struct {
	rules   Length
	waiting gathered
	whole   int64 // of the frame whose head was read; 0 before that
	skip    int64 // remaining bytes of a frame that is too long
	lost    bool  // after a broken frame: the start of the next one is unknown
}

func (m *measured) held() int { return len(m.waiting) }

func (m *measured) reset() { *m = measured{rules: m.rules} }

func (m *measured) next(b []byte) (used int, frame []byte, err error) {
	switch {
	case m.lost:
		return len(b), nil, nil
	case m.skip > 0:
		used = int(min(m.skip, int64(len(b))))
		m.skip -= int64(used)
		return used, nil, nil
	case m.whole == 0:
		return m.head(b)
	}
	used, frame = m.waiting.take(b, int(m.whole))
	return used, m.strip(frame), nil
}

// head gathers a frame up to its number. If b contains the whole frame, head returns it.
func (m *measured) head(b []byte) (used int, frame []byte, err error) {
	before, header := len(m.waiting), m.rules.header()
	used, head := m.waiting.take(b, header)
	if head == nil {
		return used, nil, nil
	}
	whole := m.rules.whole(head)
	switch {
	case whole < int64(header):
		m.lost = true
		return used, nil, ErrBroken
	case whole > int64(m.rules.Max):
		m.skip = whole - int64(header)
		return used, nil, ErrTooLong
	case whole == int64(header):
		return used, m.strip(head), nil
	case before == 0 && whole <= int64(len(b)):
		return int(whole), m.strip(b[:whole:whole]), nil
	}
	m.waiting, m.whole = append(gathered(nil), head...), whole
	return used, nil, nil
}

func (m *measured) strip(frame []byte) []byte {
	if frame == nil {
		return nil
	}
	m.whole = 0
	if m.rules.Strip == StripMark {
		return frame[m.rules.header():]
	}
	return frame
}
