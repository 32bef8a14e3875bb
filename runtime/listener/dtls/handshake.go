package dtls

import (
	"context"
	"errors"

	"github.com/exgate/exgate/runtime/listener/admission"
)

// Reasons for the end of a handshake, in addition to the library's errors.
var (
	errListenerClosed   = errors.New("listener closed")
	errHandshakeTimeout = errors.New("the handshake took too long; a wrong pre-shared key has the same effect")
	errHandshakeEvicted = errors.New("too many handshakes at once")
	errHandshakeRefused = errors.New("not admitted")
)

// handshake runs the library's handshake and makes the session the live one of its address.
func (s *session) handshake() (err error) {
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
	s.pipe.established(s.listener.queue)
	return s.promote()
}

// sending inspects outgoing datagrams. A ServerHello means that the client has proved its address.
func (s *session) sending(b []byte, to *path) error {
	s.path.Store(to)
	if s.verified.Load() || !isServerHello(b) {
		return nil
	}
	return s.verify()
}

// verify admits a client that has proved its address. If its address has a live session, the new one takes over that
// ticket when the handshake is complete.
func (s *session) verify() error {
	if s.verified.Swap(true) {
		return nil
	}
	s.listener.unverified.Leave(s.unproved)
	s.listener.counters.unverified(-1)
	if !s.peer.hasLive() && !s.admit() {
		s.giveUp(errHandshakeRefused)
		return errHandshakeRefused
	}
	s.listener.handshaking.Enter(s.proved)
	if s.timer.Stop() {
		s.timer.Reset(s.listener.cfg.HandshakeTimeout)
	}
	return nil
}

func (s *session) admit() bool {
	ticket, ok := s.listener.cfg.Admission.Admit(s.peer.path.peer.Addr().Addr())
	if ok {
		s.ticket.Store(&ticket)
	}
	return ok
}

// promote makes the session the live one of its address.
func (s *session) promote() error {
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

// settle releases the resources of the handshake and counts its result. Failures do not count against an address that
// was not proved.
func (s *session) settle(err error) {
	s.timer.Stop()
	s.listener.unverified.Leave(s.unproved)
	s.listener.handshaking.Leave(s.proved)
	result, proved := handshakeResult(err), s.verified.Load()
	if !proved {
		s.listener.counters.unverified(-1)
		if result != handshakeFailed { // it was silent
			result = handshakeUnproved
		}
	}
	s.listener.counters.handshake(result)
	if proved && (result == handshakeFailed || result == handshakeTimeout) {
		s.failed()
	}
	if err != nil && result != handshakeUnproved && result != handshakeClosed && result != handshakeRefused {
		s.listener.failures.Failed(s.peer.path, &admission.OpeningError{
			Stage: "DTLS handshake", Result: result, Err: err,
		})
	}
}

func handshakeResult(err error) string {
	switch {
	case err == nil:
		return handshakeCompleted
	case errors.Is(err, errHandshakeTimeout):
		return handshakeTimeout
	case errors.Is(err, errHandshakeEvicted):
		return handshakeEvicted
	case errors.Is(err, errHandshakeRefused):
		return handshakeRefused
	case errors.Is(err, errListenerClosed):
		return handshakeClosed
	}
	return handshakeFailed
}
