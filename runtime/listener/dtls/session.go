package dtls

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/exgate/exgate/runtime/listener/admission"
)

// session is one DTLS association with a client, from its first ClientHello on.
type session struct {
	listener *Listener
	peer     *peer // the address it was established from
	guard    guard
	pipe     *datagramPipe
	conn     libraryConn                      // owned by run until the handshake is complete
	path     atomic.Pointer[path]             // where the library sends to
	ticket   atomic.Pointer[admission.Ticket] // nil: not admitted yet, or handed to the session that replaced this one
	replaced atomic.Bool                      // by another session of the same address
	verified atomic.Bool                      // the client has proved its address
	giveUp   context.CancelCauseFunc          // ends the handshake
	ctx      context.Context                  // of the handshake
	timer    *time.Timer                      // of the handshake
	unproved *admission.Slot                  // its slot until it has proved its address
	proved   *admission.Slot                  // its slot afterwards
	id       connectionID                     // guarded by Listener.mu
	socket   transport                        // what the gateway sees
	closing  sync.Once
	mu       sync.Mutex // guards the fields below
	paths    []*peer    // addresses it has roamed to
	over     bool
}

// maxPaths bounds the addresses that a session has roamed to and not left.
const maxPaths = 4

func randomConnectionID() (id connectionID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// newSession makes the session of a source that sent a hello, and gives it unverifiedTimeout to prove its address.
func newSession(p *peer) *session {
	l := p.listener
	s := &session{listener: l, peer: p}
	if l.cfg.ConnectionIDs {
		s.guard.cid = cidLength
	}
	s.path.Store(p.path)
	s.pipe = newDatagramPipe(s.sending)
	s.ctx, s.giveUp = context.WithCancelCause(l.pending)
	s.timer = time.AfterFunc(unverifiedTimeout, func() { s.giveUp(errHandshakeTimeout) })
	evict := func() { s.giveUp(errHandshakeEvicted) }
	s.unproved, s.proved = admission.NewSlot(p.path.peer.Addr().Addr(), evict),
		admission.NewSlot(p.path.peer.Addr().Addr(), evict)
	l.counters.unverified(1)
	l.unverified.Enter(s.unproved)
	return s
}

// run is the session's own goroutine.
func (s *session) run() {
	defer s.end()
	err := s.handshake()
	s.settle(err)
	if err == nil {
		s.serve()
	}
}

// failed records a failed handshake or authentication of a client that has proved its address.
func (s *session) failed() {
	if t := s.ticket.Load(); t != nil {
		t.Failed()
	}
}

// take passes a datagram to the library, unless the guard drops it.
func (s *session) take(b []byte, from *path) drop {
	if why := s.guard.check(b); why != passed {
		return why
	}
	if !s.pipe.push(b, from) {
		return dropPipeFull
	}
	return passed
}

// addPath records that the session was seen at another address. It returns false if there are too many.
func (s *session) addPath(p *peer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || len(s.paths) >= maxPaths {
		return false
	}
	s.paths = append(s.paths, p)
	return true
}

func (s *session) leavePath(p *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, path := range s.paths {
		if path == p {
			s.paths = append(s.paths[:i], s.paths[i+1:]...)
			return
		}
	}
}

// why returns the reason for the end of the session.
func (s *session) why(err error) error {
	switch {
	case s.replaced.Load():
		return syscall.ECONNRESET // the device has come back with a new session
	case err == nil:
		return net.ErrClosed
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	return err
}

// close sends close_notify once; every caller waits until that is done.
func (s *session) close() {
	s.closing.Do(func() {
		if s.conn.conn != nil {
			s.conn.close()
		}
	})
}

// end releases all resources of the session.
func (s *session) end() {
	s.giveUp(net.ErrClosed)
	s.close()
	_ = s.pipe.Close()
	s.listener.forgetID(s)
	s.mu.Lock()
	s.over = true
	paths := s.paths
	s.paths = nil
	s.mu.Unlock()
	for _, p := range paths {
		p.forget(s)
	}
	s.peer.forget(s)
	if t := s.ticket.Swap(nil); t != nil {
		t.Release()
	}
}
