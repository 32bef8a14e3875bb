package modules

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/exgate/exgate/internal/meter"
)

// IncompleteError is of a module that ends before it should, such as one that is still being written.
type IncompleteError struct {
	Bytes int // that there are
	Want  int // that there must be at least
}

func (e *IncompleteError) Error() string {
	if e.Bytes == 0 {
		return "is empty"
	}
	return fmt.Sprintf("is not whole: it has %d bytes and says that there are at least %d", e.Bytes, e.Want)
}

var wasmHead = []byte("\x00asm\x01\x00\x00\x00")

// Whole checks that b is a core WebAssembly module by its head and that its sections end where it does. What they hold is not looked at.
func Whole(b []byte) error {
	if len(b) < len(wasmHead) && bytes.HasPrefix(wasmHead, b) {
		return &IncompleteError{Bytes: len(b), Want: len(wasmHead)}
	}
	switch err := meter.Kind(b); {
	case err == meter.ErrNoModule:
		return errors.New("is no core WebAssembly module")
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
