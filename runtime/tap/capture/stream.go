package capture

import (
	"io"
	"log/slog"
	"sync"
)

// maxPending bounds what waits for the disk, or for whoever reads a live capture.
const maxPending = 4 << 20

// cutReserve is the room in a file that only the cuts of its connections get.
const cutReserve = 64 << 10

// stream is a capture that is being written, on a goroutine of its own.
type stream struct {
	header Header
	open   func() (io.WriteCloser, error) // called by the goroutine
	limit  int64                          // of bytes; 0: none
	log    *slog.Logger
	count  func(bytes int)
	done   chan struct{} // closed when everything is written and closed

	mu        sync.Mutex // guards the fields below
	work      sync.Cond
	pending   []byte
	size      int64 // of what was added
	stopping  bool  // takes no more connections
	ended     bool  // takes nothing more
	err       error
	sessions  map[*session]struct{}
	lastConn  uint32
	onFailure func() // nil: nobody waits
}

// newStream starts the writing of a capture. Nothing is opened before something is to be written.
func newStream(h Header, open func() (io.WriteCloser, error), limit int64, log *slog.Logger, count func(int)) *stream {
	s := &stream{header: h, open: open, limit: limit, log: log, count: count, done: make(chan struct{}), sessions: make(map[*session]struct{})}
	s.header.Version = version
	s.work.L = &s.mu
	s.pending, s.err = appendLine(nil, s.header)
	s.size = int64(len(s.pending))
	go s.write()
	return s
}

// whenBroken has f called once something cannot be written.
func (s *stream) whenBroken(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onFailure = f
	if s.err != nil {
		f()
	}
}

// join adds a connection and returns its number. It reports false where the capture takes no more.
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

// full reports whether n bytes more are too many; the caller holds mu.
func (s *stream) full(n int) bool { return s.limit > 0 && s.size+int64(n)+cutReserve > s.limit }

// add queues lines. It returns why it cannot.
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

// addCut queues the line that says where a connection ends, if there is room.
func (s *stream) addCut(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended && s.err == nil && (s.limit == 0 || s.size+int64(len(b)) <= s.limit) && len(s.pending)+len(b) <= maxPending+cutReserve {
		s.queue(b)
	}
}

func (s *stream) queue(b []byte) {
	s.pending = append(s.pending, b...)
	s.size += int64(len(b))
	s.work.Signal()
}

// end ends the capture of the connections that are left, and waits until everything is written.
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

// write writes what is queued until the capture ends.
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

// opened opens what is written to, or fails the capture and returns nil.
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

// failed takes the first error: nothing is written after it.
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
	s.log.Warn("a capture cannot be written", "listener", s.header.Listener, "error", err)
	if s.onFailure != nil {
		s.onFailure()
	}
}

// broken reports whether something could not be written.
func (s *stream) broken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}
