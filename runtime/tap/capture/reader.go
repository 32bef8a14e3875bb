package capture

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
)

// maxLine bounds a line, in bytes. The longest one that is written has a record of maxRecord in hexadecimal.
const maxLine = 4 << 20

// ErrTruncated reports a capture whose writing was interrupted. The entries before it are complete.
var ErrTruncated = errors.New("the capture ends in the middle of a line: writing it was interrupted")

// Reader reads a capture, which may be hostile.
type Reader struct {
	lines  *bufio.Reader
	header Header
	line   int
	last   bool // the last line has no end
}

// NewReader reads the header of a capture.
func NewReader(from io.Reader) (*Reader, error) {
	r := &Reader{lines: bufio.NewReaderSize(from, 64<<10)}
	text, err := r.next()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("reading a capture: it is empty")
	}
	if err == nil {
		r.header, err = decodeHeader(text)
	}
	if err != nil {
		return nil, fmt.Errorf("reading a capture: line 1: %w", err)
	}
	return r, nil
}

// Header returns the header, which is the first line.
func (r *Reader) Header() Header { return r.header }

// Next returns the next entry, io.EOF after the last one, or [ErrTruncated] if the file was cut off. Any other error
// names the line; later entries can still be read, unless the underlying reader has failed.
func (r *Reader) Next() (Entry, error) {
	text, err := r.next()
	if errors.Is(err, io.EOF) {
		return Entry{}, err
	}
	var e Entry
	if err == nil {
		e, err = decodeLine(text)
	}
	switch {
	case err != nil && r.last:
		return Entry{}, ErrTruncated
	case err != nil:
		return Entry{}, fmt.Errorf("line %d: %w", r.line, err)
	}
	e.Line = r.line
	return e, nil
}

// All yields the entries until the end or the first error.
func (r *Reader) All() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for {
			e, err := r.Next()
			if errors.Is(err, io.EOF) || !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// next returns the next line that is not blank.
func (r *Reader) next() ([]byte, error) {
	for {
		text, err := r.read()
		if err != nil {
			return nil, err
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			return text, nil
		}
	}
}

func (r *Reader) read() ([]byte, error) {
	var text []byte
	r.line++
	for {
		piece, err := r.lines.ReadSlice('\n')
		text = append(text, piece...)
		switch {
		case len(text) > maxLine:
			return nil, fmt.Errorf("it is longer than %d MiB", maxLine>>20)
		case err == nil:
			return text, nil
		case errors.Is(err, io.EOF) && len(bytes.TrimSpace(text)) > 0:
			r.last = true
			return text, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
