package wire

import (
	"io"
	"sync"
)

const (
	smallRead = 256     // bytes of read buffer that an idle connection keeps
	largeRead = 8 << 10 // bytes of read buffer while more than that comes at once
	smallSend = 4 << 10 // bytes a write buffer begins with
)

var (
	readBuffers = sync.Pool{New: func() any { return new([largeRead]byte) }}
	sendBuffers = sync.Pool{New: func() any { return new([]byte) }}
)

// grow returns the buffer to append n bytes to. mu must be held.
func (w *Conn) grow(n int) []byte {
	if w.buf == nil {
		w.buf = (*sendBuffers.Get().(*[]byte))[:0]
		if cap(w.buf) < n {
			w.buf = make([]byte, 0, max(n, smallSend))
		}
	}
	return w.buf
}

// recycle keeps buffers that many connections have a use for.
func recycle(buf []byte) {
	if cap(buf) <= 2*writeLimit {
		buf = buf[:0]
		sendBuffers.Put(&buf)
	}
}

// readAhead is a read buffer that is small until there is much to read. One goroutine at a time uses it.
type readAhead struct {
	small [smallRead]byte
	large *[largeRead]byte // nil: small is in use
	from  []byte           // read and not taken yet
	full  bool             // the last read filled its buffer: more is to come
}

func (r *readAhead) read(src io.Reader, p []byte) (int, error) {
	if len(r.from) == 0 {
		if len(p) >= largeRead {
			return src.Read(p)
		}
		if err := r.fill(src); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.from)
	r.from = r.from[n:]
	return n, nil
}

func (r *readAhead) fill(src io.Reader) error {
	buf := r.buffer()
	n, err := src.Read(buf)
	r.from, r.full = buf[:n], n == len(buf)
	if n > 0 {
		return nil // an error comes again at the next read
	}
	return err
}

func (r *readAhead) buffer() []byte {
	switch {
	case r.full && r.large == nil:
		r.large = readBuffers.Get().(*[largeRead]byte)
	case !r.full && r.large != nil:
		readBuffers.Put(r.large)
		r.large = nil
	}
	if r.large != nil {
		return r.large[:]
	}
	return r.small[:]
}
