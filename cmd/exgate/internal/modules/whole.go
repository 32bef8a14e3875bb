package modules

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/exgate/exgate/internal/meter"
)

// IncompleteError reports a truncated module, such as one that is still being written.
type IncompleteError struct {
	Bytes int // actual
	Want  int // at least required
}

func (e *IncompleteError) Error() string {
	if e.Bytes == 0 {
		return "is empty"
	}
	return fmt.Sprintf("is incomplete: it has %d bytes but needs at least %d", e.Bytes, e.Want)
}

var wasmHead = []byte("\x00asm\x01\x00\x00\x00")

// Whole checks the header of a core WebAssembly module and that its sections fill it exactly. It does not look inside
// the sections.
func Whole(b []byte) error {
	if len(b) < len(wasmHead) && bytes.HasPrefix(wasmHead, b) {
		return &IncompleteError{Bytes: len(b), Want: len(wasmHead)}
	}
	switch err := meter.Kind(b); {
	case err == meter.ErrNoModule:
		return errors.New("is not a core WebAssembly module")
	case err != nil:
		return fmt.Errorf("is %w", err)
	}
	for at := len(wasmHead); at < len(b); {
		size, n := binary.Uvarint(b[at+1:])
		switch {
		case n == 0:
			return &IncompleteError{Bytes: len(b), Want: len(b) + 1}
		case n < 0 || size > maxModule:
			return fmt.Errorf("is broken: the section at byte %d has an impossible size", at)
		}
		end := at + 1 + n + int(size)
		if end > len(b) {
			return &IncompleteError{Bytes: len(b), Want: end}
		}
		at = end
	}
	return nil
}
