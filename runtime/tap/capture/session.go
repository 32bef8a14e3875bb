package capture

import (
	"sync"
	"time"

	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/internal/redact"
)

// Why the capture of a connection ends before the connection. The texts are part of the format.
const (
	cutFull    = "the file is full"
	cutSlow    = "what it is written to is too slow"
	cutFailed  = "it cannot be written"
	cutNoLogin = "too much before the login: a password could be in there"
	cutLogins  = "too many or too long passwords"
	cutLarge   = "an event or a call is too large"
	cutMemory  = "too much is held back for all connections together"
	cutEnded   = "the capture ended"
)

// session is the capture of one connection.
type session struct {
	point  *point
	attach func(*session) (*stream, uint32) // to a stream, at the first record; it returns nil if there is none
	done   func()                           // called once when an attached session has ended

	mu      sync.Mutex // guards the fields below: the stream may end it
	out     *stream    // nil before the first record
	conn    uint32
	offset  time.Duration // between the clocks of the connection and of the capture
	written uint32        // entries
	pending pendingRecords
	secrets redact.Secrets
	logins  map[uint32]struct{} // Authenticate calls without a result
	known   bool                // the device has logged in
	over    bool
	closing bool // Closed was recorded
}

var _ tap.Sink = (*session)(nil)

// Record keeps r, and writes the records that need not be held back any longer.
func (s *session) Record(r *tap.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.out == nil && !s.begin(r) {
		return
	}
	if r.Kind == tap.Handled && r.Err == nil {
		s.finish()
		return
	}
	if why := s.take(r); why != "" {
		s.cut(why)
	}
}

// begin attaches the session to its stream.
func (s *session) begin(r *tap.Record) bool {
	s.out, s.conn = s.attach(s)
	s.known = s.point.cfg.KeepPasswords
	if s.out == nil {
		s.over = true
		return false
	}
	s.offset = time.Since(s.out.header.Started) - r.At
	s.point.metrics.connections.WithLabelValues(s.point.name).Inc()
	return true
}

// take keeps a copy of r, follows the login, and writes the records that need not be held back any longer.
func (s *session) take(r *tap.Record) (cut string) {
	size := sizeOf(r)
	if size > maxRecord {
		return cutLarge
	}
	if !s.point.memory.take(size) {
		return cutMemory
	}
	s.pending.add(r, s.offset, size)
	switch r.Kind {
	case tap.Authenticate:
		if !s.point.cfg.KeepPasswords && !s.secrets.Add(r.Password) {
			return cutLogins
		}
		s.logins[r.Call] = struct{}{}
	case tap.Result:
		if _, login := s.logins[r.Call]; login {
			delete(s.logins, r.Call)
			s.known = s.known || r.Result.Ok()
		}
	case tap.Closed:
		s.closing = true
	case tap.Handled:
		s.finish()
		return ""
	}
	return s.release()
}

// release writes the records that are too old to contain a password that is not yet known.
func (s *session) release() (cut string) {
	switch {
	case !s.known && s.pending.size > holdBeforeLogin:
		return cutNoLogin
	case s.pending.size > maxHold:
		return cutMemory
	case s.known && s.pending.size > holdAfterLogin:
		return s.write(s.pending.writable(&s.secrets, holdAfterLogin/2))
	}
	return ""
}

// finish writes everything after the last event.
func (s *session) finish() {
	if !s.closing {
		return
	}
	if cut := s.write(len(s.pending.records)); cut != "" {
		s.cut(cut)
		return
	}
	s.end()
}

// stop ends the capture before the connection ends.
func (s *session) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	if s.known {
		if why := s.write(len(s.pending.records)); why != "" {
			s.cut(why)
			return
		}
	}
	s.cut(cutEnded)
}

// write writes the oldest n pending records with secrets covered.
func (s *session) write(n int) (cut string) {
	s.pending.redact(&s.secrets, n)
	var lines []byte
	for _, r := range s.pending.records[:n] {
		s.written++
		var err error
		if lines, err = appendEntry(lines, Entry{
			Conn: s.conn, Number: s.written, Record: r.Record,
			Covered: r.covered,
		}); err != nil {
			return cutFailed
		}
	}
	s.point.memory.give(s.pending.drop(n))
	if len(lines) == 0 {
		return ""
	}
	return s.out.add(lines)
}

// cut drops the pending records and records why.
func (s *session) cut(why string) {
	s.point.metrics.cut(s.point.name, why)
	s.written++
	at := time.Since(s.out.header.Started)
	if b, err := appendEntry(nil, Entry{
		Conn: s.conn, Number: s.written, Cut: why,
		Record: tap.Record{At: at},
	}); err == nil {
		s.out.addCut(b)
	}
	s.end()
}

func (s *session) end() {
	s.over = true
	s.point.memory.give(s.pending.drop(len(s.pending.records)))
	s.secrets, s.logins = redact.Secrets{}, nil
	s.out.leave(s)
	s.done()
}
