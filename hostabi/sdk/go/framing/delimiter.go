package framing

import "bytes"

// Strip says what a framer removes from a frame.
type Strip int

// What to remove.
const (
	StripNothing Strip = iota // keep the delimiter or the length in the frame
	StripMark                 // remove the delimiter, or everything up to the end of the length
	StripLine                 // for [Delimiter]: also remove one \r before it
)

// Delimiter ends each frame. A frame may be empty.
type Delimiter struct {
	// Bytes is the delimiter, 1 to 8 bytes.
	Bytes []byte
	// Max is the largest length of a frame without its delimiter, 1 to [MaxFrame].
	Max int
	// Strip says what to remove. If zero, nothing.
	Strip Strip
}

func (d Delimiter) check() error {
	if err := within("the length of Delimiter.Bytes", len(d.Bytes), 1, 8); err != nil {
		return err
	}
	if err := within("Delimiter.Strip", int(d.Strip), int(StripNothing), int(StripLine)); err != nil {
		return err
	}
	return within("Delimiter.Max", d.Max, 1, MaxFrame)
}

func (d Delimiter) splitter() splitter { return &delimited{rules: d} }

// delimited searches for the delimiter. While it skips, kept contains what may be the beginning of the delimiter.
type delimited struct {
	rules    Delimiter
	kept     []byte
	skipping bool
}

func (d *delimited) held() int { return len(d.kept) }

func (d *delimited) reset() { d.kept, d.skipping = nil, false }

func (d *delimited) next(b []byte) (used int, frame []byte, err error) {
	if d.skipping {
		return d.skip(b), nil, nil
	}
	before := len(d.kept)
	window := b[:min(len(b), d.room()-before)]
	from := max(0, before-len(d.rules.Bytes)+1)
	all := window
	if before > 0 {
		all = append(d.kept, window...)
	}
	i := bytes.Index(all[from:], d.rules.Bytes)
	switch {
	case i >= 0:
		end := from + i + len(d.rules.Bytes)
		d.kept = nil
		return end - before, d.strip(all[:end:end]), nil
	case len(all) == d.room():
		d.skipping = true
		d.keepTail(all)
		return len(window), nil, ErrTooLong
	case before > 0:
		d.kept = all
	default:
		d.kept = bytes.Clone(all)
	}
	return len(window), nil, nil
}

// room returns the number of bytes without a delimiter after which a frame is too long.
func (d *delimited) room() int { return d.rules.Max + len(d.rules.Bytes) }

func (d *delimited) strip(frame []byte) []byte {
	if d.rules.Strip == StripNothing {
		return frame
	}
	frame = frame[:len(frame)-len(d.rules.Bytes)]
	if n := len(frame); d.rules.Strip == StripLine && n > 0 && frame[n-1] == '\r' {
		frame = frame[:n-1]
	}
	return frame
}

// skip consumes bytes up to the end of the delimiter.
func (d *delimited) skip(b []byte) (used int) {
	before, mark := len(d.kept), d.rules.Bytes
	seam := append(d.kept, b[:min(len(b), len(mark)-1)]...)
	if i := bytes.Index(seam, mark); i >= 0 {
		d.reset()
		return i + len(mark) - before
	}
	if i := bytes.Index(b, mark); i >= 0 {
		d.reset()
		return i + len(mark)
	}
	if len(b) >= len(mark)-1 {
		seam = b
	}
	d.keepTail(seam)
	return len(b)
}

// keepTail keeps the end of b as far as it may be the beginning of a delimiter.
func (d *delimited) keepTail(b []byte) {
	d.kept = bytes.Clone(b[max(0, len(b)-len(d.rules.Bytes)+1):])
}
