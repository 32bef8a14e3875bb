package listener

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
)

// Why a handshake ended, beside what the library says.
var (
	errListenerClosed    = errors.New("listener closed")
	errHandshakeTimeout  = errors.New("the handshake took too long")
	errHandshakeEvicted  = errors.New("too many handshakes at once")
	errHandshakeRefused  = errors.New("not admitted")
	errHandshakeReplaced = syscall.ECONNRESET // the device has come back with a new session
)

// dtlsSession is one association with a client, from its first ClientHello on.
type dtlsSession struct {
	listener *DTLS
	peer     *dtlsPeer // the address of its handshake
	guard    guard
	pipe     *datagramPipe
	conn     dtlsConn                 // owned by run until the handshake is complete
	path     atomic.Pointer[dtlsPath] // that the library sends on
	ticket   atomic.Pointer[Ticket]   // nil: not admitted yet, or handed to the session that replaced this one
	replaced atomic.Bool              // by another session of the same address
	verified atomic.Bool              // the client has proved its address
	giveUp   context.CancelCauseFunc  // ends the handshake
	ctx      context.Context          //nolint:containedctx // of the handshake
	timer    *time.Timer              // of the handshake
	unproved *waiting                 // its place while it has not proved its address
	proved   *waiting                 // and after it
	id       connectionID             // guarded by DTLS.mu
	socket   dtlsSocket               // what the gateway sees
	closing  sync.Once
	mu       sync.Mutex  // guards the fields below
	paths    []*dtlsPeer // that it has roamed to
	over     bool
}

// maxPaths is how many addresses a session may have roamed to and not left.
const maxPaths = 4

func randomConnectionID() (id connectionID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// newDTLSSession makes the session of a source that says hello, and gives it a short time to prove that it is there.
func newDTLSSession(p *dtlsPeer) *dtlsSession {
	l := p.listener
	s := &dtlsSession{listener: l, peer: p}
	if l.cfg.ConnectionIDs {
		s.guard.cid = cidLength
	}
	s.path.Store(p.path)
	s.pipe = newDatagramPipe(s.sending)
	s.ctx, s.giveUp = context.WithCancelCause(l.pending)
	s.timer = time.AfterFunc(unverifiedTimeout, func() { s.giveUp(errHandshakeTimeout) })
	evict := func() { s.giveUp(errHandshakeEvicted) }
	s.unproved, s.proved = newWaiting(p.path.peer.Addr().Addr(), evict), newWaiting(p.path.peer.Addr().Addr(), evict)
	l.counters.unverified(1)
	l.unverified.enter(s.unproved)
	return s
}

// run is the session's own goroutine.
func (s *dtlsSession) run() {
	defer s.end()
	err := s.handshake()
	s.settle(err)
	if err == nil {
		s.serve()
	}
}

func (s *dtlsSession) handshake() (err error) {
	var newID func() []byte
	if s.listener.cfg.ConnectionIDs {
		newID = func() []byte { return s.listener.newID(s) }
	}
	if s.conn, err = s.listener.options.Load().server(s.pipe, s.peer.path, newID); err != nil {
		return err
	}
	if err = s.conn.handshake(s.ctx); err != nil {
		if cause := context.Cause(s.ctx); cause != nil {
			err = cause
		}
		return err
	}
	s.guard.established.Store(true)
	return s.promote()
}

// sending sees what the library sends. Its ServerHello says that the client has proved its address.
func (s *dtlsSession) sending(b []byte, to *dtlsPath) error {
	s.path.Store(to)
	if s.verified.Load() || !isServerHello(b) {
		return nil
	}
	return s.verify()
}

// verify admits the client whose address is proved. Where a session of the same address lives, its place is taken over in the end.
func (s *dtlsSession) verify() error {
	if s.verified.Swap(true) {
		return nil
	}
	s.listener.unverified.leave(s.unproved)
	s.listener.counters.unverified(-1)
	if !s.peer.hasLive() && !s.admit() {
		s.giveUp(errHandshakeRefused)
		return errHandshakeRefused
	}
	s.listener.handshaking.enter(s.proved)
	if s.timer.Stop() {
		s.timer.Reset(s.listener.cfg.HandshakeTimeout)
	}
	return nil
}

func (s *dtlsSession) admit() bool {
	ticket, ok := s.listener.cfg.Admission.Admit(s.peer.path.peer.Addr().Addr())
	if ok {
		s.ticket.Store(&ticket)
	}
	return ok
}

// promote makes the session the one that its address has.
func (s *dtlsSession) promote() error {
	if old := s.peer.promote(s); old != nil {
		s.ticket.CompareAndSwap(nil, old.ticket.Swap(nil))
		old.replaced.Store(true)
		_ = old.pipe.Close()
	}
	if s.ticket.Load() == nil && !s.admit() {
		return errHandshakeRefused
	}
	return nil
}

// settle gives back what the handshake held, and counts how it ended. Nothing is held against an address that nobody proved.
func (s *dtlsSession) settle(err error) {
	s.timer.Stop()
	s.listener.unverified.leave(s.unproved)
	s.listener.handshaking.leave(s.proved)
	if !s.verified.Load() {
		s.listener.counters.unverified(-1)
		return
	}
	result := handshakeFailed
	switch {
	case err == nil:
		result = handshakeCompleted
	case errors.Is(err, errHandshakeTimeout):
		result = handshakeTimeout
	case errors.Is(err, errHandshakeEvicted):
		result = handshakeEvicted
	case errors.Is(err, errHandshakeRefused):
		result = handshakeRefused
	case errors.Is(err, errListenerClosed):
		result = handshakeClosed
	}
	s.listener.counters.handshake(result)
	if result == handshakeFailed || result == handshakeTimeout {
		s.failed()
	}
	if err != nil {
		s.listener.cfg.Logger.Debug("DTLS handshake failed", "peer", s.peer.path, "error", err)
	}
}

// failed notes a failed handshake or authentication of a client that has proved its address.
func (s *dtlsSession) failed() {
	if t := s.ticket.Load(); t != nil {
		t.Failed()
	}
}

// take hands the library a datagram, unless the guard says otherwise.
func (s *dtlsSession) take(b []byte, from *dtlsPath) drop {
	if why := s.guard.check(b); why != passed {
		return why
	}
	if !s.pipe.push(b, from) {
		return dropPipeFull
	}
	return passed
}

// addPath notes that the session was seen at another address, unless that are too many.
func (s *dtlsSession) addPath(p *dtlsPeer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || len(s.paths) >= maxPaths {
		return false
	}
	s.paths = append(s.paths, p)
	return true
}

func (s *dtlsSession) leavePath(p *dtlsPeer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, path := range s.paths {
		if path == p {
			s.paths = append(s.paths[:i], s.paths[i+1:]...)
			return
		}
	}
}

// why is the reason for which the session was read to its end.
func (s *dtlsSession) why(err error) error {
	switch {
	case s.replaced.Load():
		return errHandshakeReplaced
	case err == nil:
		return net.ErrClosed
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	return err
}

// close sends close_notify, once; whoever calls waits until that is done.
func (s *dtlsSession) close() {
	s.closing.Do(func() {
		if s.conn.conn != nil {
			s.conn.close()
		}
	})
}

// end frees everything.
func (s *dtlsSession) end() {
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
	if t := s.ticket.Load(); t != nil {
		t.Release()
	}
}
