package framing

import (
	"errors"
	"iter"
	"strconv"
)

// MaxFrame is the largest value of the fields Max and Size, in bytes.
const MaxFrame = 1 << 20

// Errors that Frames yields instead of a frame. The framer continues after it; a protocol may close the connection
// instead.
var (
	ErrTooLong = errors.New("the frame is longer than it may be")
	ErrBroken  = errors.New("the frame is broken")
)

// Rules are [Delimiter], [Length], [Fixed] or [Escape].
type Rules interface {
	check() error
	splitter() splitter
}

// Framing creates the framers of one protocol.
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

// Framer splits the stream of one connection. Between frames it holds no buffer.
type Framer struct{ split splitter }

// splitter finds one frame after another.
type splitter interface {
	// next consumes b, which must not be empty, up to the first frame or error. It consumes at least one byte. If it
	// finds neither, frame and err are nil.
	next(b []byte) (used int, frame []byte, err error)
	held() int
	reset()
}

// Frames yields each frame that ends in piece, or its error, and removes the consumed bytes from the front of piece.
// After a break, the rest of piece is unchanged: pass it to Frames again later. A frame is valid until the loop
// continues.
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

// Held returns the number of buffered bytes of an unfinished frame.
func (f *Framer) Held() int { return f.split.held() }

// Reset drops them and starts as for a new connection.
func (f *Framer) Reset() { f.split.reset() }

// within checks the range of a number. (Package fmt would make each module half as large again.)
func within(field string, n, least, most int) error {
	if n < least || n > most {
		return errors.New("framing: " + field + " is " + strconv.Itoa(n) + ", and must be from " + strconv.Itoa(least) +
			" to " + strconv.Itoa(most))
	}
	return nil
}
