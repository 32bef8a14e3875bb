package hostabi

import (
	"fmt"

	"github.com/tetratelabs/wazero/api"
)

// MemoryError is the trap caused by an import whose pointer and length are outside the guest's memory.
type MemoryError struct {
	Function string // the import
	Pointer  uint32
	Length   uint32
}

func (e *MemoryError) Error() string {
	return fmt.Sprintf("%s was called with %d bytes at %#x, which is outside the memory", e.Function, e.Length,
		e.Pointer)
}

// memory is a guest's memory, seen by one import.
type memory struct {
	api.Memory
	function string
}

// at returns the bytes at pointer. If length is 0, pointer may have any value.
func (m memory) at(pointer, length uint64) []byte {
	p, n := uint32(pointer), uint32(length)
	if n == 0 {
		return nil
	}
	if m.Memory == nil {
		panic(&MemoryError{m.function, p, n})
	}
	b, ok := m.Read(p, n)
	if !ok {
		panic(&MemoryError{m.function, p, n})
	}
	return b
}
