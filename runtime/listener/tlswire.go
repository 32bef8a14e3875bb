package listener

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// maxUnsent bounds the ciphertext queued for a slow peer: one record, and answers to key updates.
const maxUnsent = 64 << 10

// tlsWire is the connection that crypto/tls reads from and writes to. During the handshake it waits for the peer.
// Afterwards it never does: it reads what the socket's reading goroutine has stored in in, and keeps what the kernel
// does not accept in unsent until it is flushed.
type tlsWire struct {
	streamConn
	socket  *streamSocket
	shaking bool         // until the handshake is done, reads and writes wait for the peer
	opening *openingConn // gives its slot back meanwhile; nil for connections that were dialed
	in      []byte       // owned by the reading goroutine
	sendFD  func(fd uintptr)
	sendAll func(fd uintptr) bool

	mu     sync.Mutex // guards the fields below; never held while waiting
	unsent []byte
	err    error
}

// errNothingYet tells crypto/tls that the record is incomplete: it keeps what it has and continues at the next call.
var errNothingYet net.Error = nothingYet{}

type nothingYet struct{}

func (nothingYet) Error() string   { return "nothing to read yet" }
func (nothingYet) Timeout() bool   { return false }
func (nothingYet) Temporary() bool { return true }

var errUnsent = errors.New("the peer does not read the answers to its TLS messages")

func newTLSWire(s *streamSocket, e *openingConn) *tlsWire {
	w := &tlsWire{streamConn: s.conn, socket: s, shaking: true, opening: e, in: s.early}
	s.early = nil
	w.sendFD, w.sendAll = w.send, w.sendUntilEmpty
	return w
}

func (w *tlsWire) Read(p []byte) (int, error) {
	if len(w.in) > 0 {
		n := copy(p, w.in)
		w.in = w.in[n:]
		return n, nil
	}
	if !w.shaking {
		return 0, errNothingYet
	}
	w.opening.release()
	defer w.opening.acquire()
	return w.streamConn.Read(p)
}

func (w *tlsWire) Write(p []byte) (int, error) {
	if w.shaking {
		w.opening.release()
		defer w.opening.acquire()
		return w.streamConn.Write(p)
	}
	if err := w.queue(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// queue sends what the kernel accepts, after earlier data, and keeps the remainder.
func (w *tlsWire) queue(p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	if len(w.unsent) == 0 {
		w.unsent = p
		err := w.sendNow()
		p, w.unsent = w.unsent, nil
		if err != nil {
			return err
		}
	}
	if len(w.unsent)+len(p) > maxUnsent {
		w.err = errUnsent
		return w.err
	}
	w.unsent = append(w.unsent, p...)
	return nil
}

// sendNow sends as much of unsent as the kernel accepts; the caller holds mu. Unlike Write, Control of the raw
// connection does not wait for another writer.
func (w *tlsWire) sendNow() error {
	if err := w.socket.raw.Control(w.sendFD); err != nil && w.err == nil {
		w.err = err
	}
	return w.err
}

func (w *tlsWire) send(fd uintptr) {
	n, err := writeSome(fd, w.unsent)
	if w.unsent = w.unsent[n:]; len(w.unsent) == 0 {
		w.unsent = nil
	}
	if err != nil {
		w.err = os.NewSyscallError("write", err)
	}
}

// flushNow tries to send unsent data and reports whether none is left.
func (w *tlsWire) flushNow() (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.unsent) > 0 && w.err == nil {
		_ = w.sendNow()
	}
	return len(w.unsent) == 0, w.err
}

// flush waits until all data is sent, at most until the socket's write deadline.
func (w *tlsWire) flush() (bool, error) {
	if done, err := w.flushNow(); done || err != nil {
		return done, err
	}
	if err := w.socket.raw.Write(w.sendAll); err != nil {
		return false, err
	}
	return w.flushNow()
}

func (w *tlsWire) sendUntilEmpty(fd uintptr) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.send(fd)
	}
	return len(w.unsent) == 0 || w.err != nil
}

// SetWriteDeadline does nothing: crypto/tls would set one for its close_notify, and the socket's deadline must not
// change.
func (w *tlsWire) SetWriteDeadline(time.Time) error { return nil }
