package wire

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

const (
	writeLimit   = 64 << 10         // unwritten bytes above which HasRoom returns false
	writeTimeout = 10 * time.Second // for one write to the socket
	closeTimeout = 2 * time.Second  // for writing the rest when closing, and for the broker to close
	drainTimeout = time.Second      // for reading what the broker sent before writing failed

	rejectTimeout = 200 * time.Millisecond // for writing DISCONNECT after a protocol error, and for the broker to close
)

// Conn is the connection that paho reads and writes. It buffers writes, so that writers never wait for the socket, and
// reads ahead, because paho reads byte by byte. When idle, it has neither a writing goroutine nor a write buffer.
type Conn struct {
	net.Conn
	reader    readAhead
	frames    frames      // checks what paho reads, packet by packet
	onDrained func()      // called when the buffer is below its limit again
	onLost    func(error) // called once, when reading fails
	rejected  atomic.Bool // stop reading

	mu        sync.Mutex
	buf       []byte // unwritten; guarded by mu
	flushing  bool   // a goroutine is writing; guarded by mu
	waiting   bool   // onDrained must be called; guarded by mu
	closing   bool   // close when buf is written; guarded by mu
	err       error  // why writing fails; guarded by mu
	failed    bool   // err was set by Fail or Reject; guarded by mu
	live      bool   // the broker answered CONNECT and has not ended the connection; guarded by mu
	rejecting bool   // Reject is sending DISCONNECT and will close; guarded by mu

	lost sync.Once
}

// ErrClosed says that the connection was closed on this side.
var ErrClosed = errors.New("the connection is closed")

// NewConn returns a Conn on conn that accepts packets of at most limit bytes from the broker. If limit is zero, it
// accepts any. Both functions are called without locks.
func NewConn(conn net.Conn, limit uint32, onDrained func(), onLost func(error)) *Conn {
	return &Conn{Conn: conn, frames: frames{limit: int64(limit)}, onDrained: onDrained, onLost: onLost}
}

// Read reports the first error to onLost at once; paho reports it later.
func (w *Conn) Read(p []byte) (int, error) {
	n, err := w.read(p)
	if err != nil {
		w.SetLive(false)
		w.lost.Do(func() { w.onLost(w.Cause(err)) })
	}
	return n, err
}

func (w *Conn) read(p []byte) (int, error) {
	if w.rejected.Load() {
		return 0, ErrClosed
	}
	n, err := w.reader.read(w.Conn, p)
	if err != nil {
		return n, err
	}
	if err := w.frames.pass(p[:n]); err != nil {
		w.Reject(reasonOfFrame(err), err)
		return 0, err
	}
	return n, nil
}

func (w *Conn) Cause(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	return err
}

// CutByUs reports whether Fail or Reject ended the connection.
func (w *Conn) CutByUs() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// Lock begins a packet. paho holds the lock while it writes a packet.
func (w *Conn) Lock() { w.mu.Lock() }

// Write adds to the packet that Lock began.
func (w *Conn) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.buf = append(w.grow(len(p)), p...)
	return len(p), nil
}

// Unlock ends the packet and starts writing it.
func (w *Conn) Unlock() {
	start := !w.flushing && len(w.buf) > 0 && w.err == nil
	if start {
		w.flushing = true
	}
	w.mu.Unlock()
	if start {
		go w.flush()
	}
}

// Publish writes a PUBLISH. It returns false if writing has failed.
func (w *Conn) Publish(p Publication) bool {
	w.Lock()
	defer w.Unlock()
	if w.err != nil {
		return false
	}
	w.buf = p.Append(w.grow(p.Size()))
	return true
}

// HasRoom reports whether the buffer is below its limit. If it is not, onDrained will be called.
func (w *Conn) HasRoom() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.buf) < writeLimit || w.err != nil {
		return true
	}
	w.waiting = true
	return false
}

// flush writes until the buffer is empty.
func (w *Conn) flush() {
	w.mu.Lock()
	for len(w.buf) > 0 && w.err == nil {
		buf := w.buf
		w.buf = nil
		w.mu.Unlock()
		w.setWriteDeadline()
		_, err := w.Conn.Write(buf)
		recycle(buf)
		w.mu.Lock()
		if err != nil && w.err == nil {
			w.err = err
			_ = w.SetReadDeadline(time.Now().Add(drainTimeout)) // the broker may have sent a DISCONNECT
		}
		w.notifyDrained()
	}
	w.flushing = false
	closing := w.closing
	w.mu.Unlock()
	if closing {
		w.closeWrite()
	}
}

// setWriteDeadline keeps the shorter deadline of a closing connection.
func (w *Conn) setWriteDeadline() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closing {
		_ = w.SetWriteDeadline(time.Now().Add(writeTimeout))
	}
}

// notifyDrained must be called with mu held, which it releases for the callback.
func (w *Conn) notifyDrained() {
	if !w.waiting || (len(w.buf) >= writeLimit && w.err == nil) {
		return
	}
	w.waiting = false
	w.mu.Unlock()
	w.onDrained()
	w.mu.Lock()
}

// CloseSoon closes once everything is written. Writing may take closeTimeout, and so may the broker's close.
func (w *Conn) CloseSoon() {
	w.mu.Lock()
	w.closing = true
	_ = w.SetWriteDeadline(time.Now().Add(closeTimeout))
	flushing := w.flushing
	w.mu.Unlock()
	if !flushing {
		w.closeWrite()
	}
}

// closeWrite shuts down writing; the broker closes after DISCONNECT. Closing with unread data would reset the
// connection, and the broker could lose what it has not read.
func (w *Conn) closeWrite() {
	c, ok := w.Conn.(interface{ CloseWrite() error })
	if !ok || w.SetReadDeadline(time.Now().Add(closeTimeout)) != nil || c.CloseWrite() != nil {
		_ = w.Close()
	}
}

// Fail closes at once. onLost gets cause.
func (w *Conn) Fail(cause error) {
	w.mu.Lock()
	if w.err == nil {
		w.err, w.failed = cause, true
	}
	w.mu.Unlock()
	_ = w.Close()
}

// SetLive says whether Reject may send DISCONNECT: the broker has answered CONNECT and not disconnected.
func (w *Conn) SetLive(live bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.live = live
}

// Reject closes because of a protocol error of the broker, and sends DISCONNECT with the reason if it can.
func (w *Conn) Reject(reason byte, cause error) {
	w.mu.Lock()
	live := w.live && w.err == nil
	if w.err == nil {
		w.err, w.failed = cause, true
	}
	w.live, w.rejecting = false, w.rejecting || live
	w.mu.Unlock()
	w.rejected.Store(true)
	if live {
		_ = w.SetDeadline(time.Now().Add(rejectTimeout))
		_, _ = w.Conn.Write([]byte{packets.DISCONNECT << 4, 1, reason})
		w.awaitClose()
		w.mu.Lock()
		w.rejecting = false
		w.mu.Unlock()
	}
	_ = w.Close()
}

// awaitClose waits until the deadline for the broker to close: closing with unread data would reset the connection, and
// the broker could lose DISCONNECT.
func (w *Conn) awaitClose() {
	if c, ok := w.Conn.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(w.Conn, writeLimit))
	}
}

// Close closes at once, unless Reject is about to. paho calls it when it cannot parse a packet.
func (w *Conn) Close() error {
	w.mu.Lock()
	if w.live && w.err == nil && !w.closing {
		w.mu.Unlock()
		w.Reject(errUnreadable.Reason, errUnreadable)
		return nil
	}
	if w.rejecting {
		w.mu.Unlock()
		return nil
	}
	if w.err == nil {
		w.err = ErrClosed
	}
	w.buf = nil
	w.mu.Unlock()
	return w.Conn.Close()
}
