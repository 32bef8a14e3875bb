package capture

import (
	"io"
	"log/slog"
	"sync"
)

// maxPending bounds the bytes that wait for the disk, or for the reader of a live capture.
const maxPending = 4 << 20

// cutReserve is the part of a file that is reserved for the cuts of its connections.
const cutReserve = 64 << 10

// stream is a capture that its own goroutine writes.
type stream struct {
	header Header
	open   func() (io.WriteCloser, error) // called by the goroutine
	limit  int64                          // in bytes; 0 if there is none
	log    *slog.Logger
	count  func(bytes int)
	done   chan struct{} // closed when everything is written and closed

	mu        sync.Mutex // guards the fields below
	work      sync.Cond
	pending   []byte
	size      int64 // bytes added so far
	stopping  bool  // takes no more connections
	ended     bool  // takes nothing more
	err       error
	sessions  map[*session]struct{}
	lastConn  uint32
	onFailure func() // optional
}

// newStream starts the goroutine that writes a capture. It opens the file at the first write.
func newStream(h Header, open func() (io.WriteCloser, error), limit int64, log *slog.Logger, count func(int)) *stream {
	s := &stream{
		header: h, open: open, limit: limit, log: log, count: count, done: make(chan struct{}),
		sessions: make(map[*session]struct{}),
	}
	s.header.Version = version
	s.work.L = &s.mu
	s.pending, s.err = appendLine(nil, s.header)
	s.size = int64(len(s.pending))
	go s.write()
	return s
}

// whenBroken makes the stream call f once a write fails.
func (s *stream) whenBroken(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onFailure = f
	if s.err != nil {
		f()
	}
}

// join adds a connection and returns its number. It reports false if the capture takes no more.
func (s *stream) join(c *session) (number uint32, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping || s.err != nil || s.full(0) {
		return 0, false
	}
	s.lastConn++
	s.sessions[c] = struct{}{}
	return s.lastConn, true
}

func (s *stream) leave(c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, c)
}

// full reports whether n more bytes exceed the limit. The caller holds mu.
func (s *stream) full(n int) bool { return s.limit > 0 && s.size+int64(n)+cutReserve > s.limit }

// add queues lines. It returns why that is impossible, or "".
func (s *stream) add(lines []byte) (cut string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return cutEnded
	case s.err != nil:
		return cutFailed
	case s.full(len(lines)):
		s.stopping = true
		return cutFull
	case len(s.pending)+len(lines) > maxPending:
		return cutSlow
	}
	s.queue(lines)
	return ""
}

// addCut queues the line that ends a connection, if there is room.
func (s *stream) addCut(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fits := (s.limit == 0 || s.size+int64(len(b)) <= s.limit) && len(s.pending)+len(b) <= maxPending+cutReserve
	if !s.ended && s.err == nil && fits {
		s.queue(b)
	}
}

func (s *stream) queue(b []byte) {
	s.pending = append(s.pending, b...)
	s.size += int64(len(b))
	s.work.Signal()
}

// end ends the capture of the remaining connections, and waits until everything is written.
func (s *stream) end() error {
	s.mu.Lock()
	s.stopping = true
	left := make([]*session, 0, len(s.sessions))
	for c := range s.sessions {
		left = append(left, c)
	}
	s.mu.Unlock()
	for _, c := range left {
		c.stop()
	}
	s.mu.Lock()
	s.ended = true
	s.work.Signal()
	s.mu.Unlock()
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// write writes the queued bytes until the capture ends.
func (s *stream) write() {
	defer close(s.done)
	var to io.WriteCloser
	for {
		b := s.next()
		if b == nil {
			break
		}
		if to == nil {
			to = s.opened()
		}
		if to != nil {
			_, err := to.Write(b)
			s.failed(err)
			s.count(len(b))
		}
	}
	if to != nil {
		s.failed(to.Close())
	}
}

// opened opens the file. On error it fails the capture and returns nil.
func (s *stream) opened() io.WriteCloser {
	to, err := s.open()
	if err != nil {
		s.failed(err)
		return nil
	}
	return to
}

// next waits for something to write. It returns nil at the end.
func (s *stream) next() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.pending) == 0 && !s.ended || s.err != nil && !s.ended {
		s.work.Wait()
	}
	b := s.pending
	s.pending = nil
	if s.err != nil {
		return nil
	}
	return b
}

// failed records the first error. Nothing is written after it.
func (s *stream) failed(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err, s.pending = err, nil
	s.log.Warn("cannot write a capture", "listener", s.header.Listener, "error", err)
	if s.onFailure != nil {
		s.onFailure()
	}
}

// broken reports whether a write has failed.
func (s *stream) broken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}
