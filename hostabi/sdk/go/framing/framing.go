// Package framing makes frames of what a stream brings, however the network cut it: by delimiter, by length, of a fixed
// size, or escape-stuffed.
//
// hostabi/conformance/framing.md says byte by byte what each of the four does. Check the rules once, when the module
// starts, and give each connection a [Framer] of its own:
//
//	lines, err := framing.New(framing.Delimiter{Bytes: []byte("\n"), Max: 1024, Strip: framing.StripLine})
//	...
//	d := &device{lines: lines.Framer()}
//	...
//	for line, err := range d.lines.Frames(&b) {
package framing

import (
	"errors"
	"iter"
	"strconv"
)

// MaxFrame bounds what the fields Max and Size of the rules may be, in bytes.
const MaxFrame = 1 << 20

// What a frame may have instead of bytes. The framer goes on behind it; a protocol that would rather not closes the
// connection.
var (
	ErrTooLong = errors.New("the frame is longer than it may be")
	ErrBroken  = errors.New("the frame is broken")
)

// Rules are [Delimiter], [Length], [Fixed] or [Escape].
type Rules interface {
	check() error
	splitter() splitter
}

// Framing makes the framers of one protocol.
type Framing struct{ rules Rules }

// New checks rules. Its error names the field to change.
func New(rules Rules) (Framing, error) {
	if err := rules.check(); err != nil {
		return Framing{}, err
	}
	return Framing{rules}, nil
}

// Framer returns a framer for a new connection.
func (f Framing) Framer() *Framer { return &Framer{split: f.rules.splitter()} }

// Framer keeps what there is of a connection's unfinished frame. Between frames it holds no buffer.
type Framer struct{ split splitter }

// splitter finds one frame after the other.
type splitter interface {
	// next looks at b, which is not empty, up to its first outcome. It uses at least one byte. Without an outcome frame
	// and err are nil.
	next(b []byte) (used int, frame []byte, err error)
	held() int
	reset()
}

// Frames gives each frame that ends in piece, or its error, and takes what it used from the head of piece. After a
// break, the rest of piece is there untouched: give it to Frames again later. A frame is valid until Frames goes on.
func (f *Framer) Frames(piece *[]byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for len(*piece) > 0 {
			used, frame, err := f.split.next(*piece)
			*piece = (*piece)[used:]
			if (frame != nil || err != nil) && !yield(frame, err) {
				return
			}
		}
	}
}

// Held is how many bytes of an unfinished frame there are.
func (f *Framer) Held() int { return f.split.held() }

// Reset forgets them and begins anew, as when the connection was new.
func (f *Framer) Reset() { f.split.reset() }

// within is the check of a number. (Package fmt would make every module half as large again.)
func within(field string, n, least, most int) error {
	if n < least || n > most {
		return errors.New("framing: " + field + " is " + strconv.Itoa(n) + ", and must be from " + strconv.Itoa(least) +
			" to " + strconv.Itoa(most))
	}
	return nil
}
