//go:build !linux

package startimage

import "github.com/tetratelabs/wazero/experimental"

// source is a copy of the image.
type source struct{ content []byte }

func newSource(content []byte) (*source, error) {
	return &source{append([]byte(nil), content...)}, nil
}

func (s *source) close() error { return nil }

// memory copies the image.
func (s *source) memory(most uint64) (experimental.LinearMemory, error) {
	return &copied{b: append([]byte(nil), s.content...), most: most}, nil
}

// copied is a memory on the heap.
type copied struct {
	b    []byte
	most uint64
}

// Reallocate returns the first size bytes, which may move.
func (c *copied) Reallocate(size uint64) []byte {
	if size > c.most {
		return nil
	}
	if size > uint64(len(c.b)) {
		c.b = append(c.b, make([]byte, size-uint64(len(c.b)))...)
	}
	return c.b[:size:size]
}

// Free leaves the memory to the garbage collector.
func (c *copied) Free() { c.b = nil }
