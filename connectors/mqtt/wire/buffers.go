package wire

import (
	"io"
	"sync"
)

const (
	smallRead = 256     // read buffer of an idle connection, in bytes
	largeRead = 8 << 10 // read buffer while more data arrives at once, in bytes
	smallSend = 4 << 10 // initial write buffer, in bytes
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

// recycle returns a buffer to the pool unless it is too large.
func recycle(buf []byte) {
	if cap(buf) <= 2*writeLimit {
		buf = buf[:0]
		sendBuffers.Put(&buf)
	}
}

// readAhead is a read buffer that grows while there is much to read. It must not be used concurrently.
type readAhead struct {
	small [smallRead]byte
	large *[largeRead]byte // nil: small is in use
	from  []byte           // read but not consumed yet
	full  bool             // the last read filled its buffer: expect more
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
		return nil // the next read returns the error again
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
