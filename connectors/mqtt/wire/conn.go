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
	writeLimit   = 64 << 10         // bytes waiting to be written above which publishes wait in the session
	writeTimeout = 10 * time.Second // for one write to the socket
	closeTimeout = 2 * time.Second  // for what is unwritten when the session closes, and for the broker to close
	drainTimeout = time.Second      // for reading what the broker sent before it stopped reading

	rejectTimeout = 200 * time.Millisecond // for writing DISCONNECT to a broker that broke the rules, and for it to close
)

// wire is the connection that paho reads and writes. It combines small writes, so that whoever writes never waits for the socket, and
// reads ahead, because paho reads byte by byte. Idle, it holds neither a goroutine nor a write buffer.
type Conn struct {
	net.Conn
	reader    readAhead
	frames    frames      // what paho reads, packet by packet
	onDrained func()      // the buffer was over its limit and is not any more
	onLost    func(error) // reading failed; called once
	rejected  atomic.Bool // nothing is read any more

	mu       sync.Mutex
	buf      []byte // not written yet; guarded by mu
	flushing bool   // a goroutine writes; guarded by mu
	waiting  bool   // someone waits for onDrained; guarded by mu
	closing  bool   // close when buf is written; guarded by mu
	err      error  // why nothing can be written any more; guarded by mu
	failed   bool   // err is of fail; guarded by mu
	live     bool   // the broker answered CONNECT and has not ended the connection; guarded by mu
	parting  bool   // reject tells the broker why, and closes then; guarded by mu

	lost sync.Once
}

var ErrClosed = errors.New("the connection is closed")

// newWire returns a wire on conn that takes packets of at most limit bytes from the broker. If limit is zero, of any length.
func NewConn(conn net.Conn, limit uint32, onDrained func(), onLost func(error)) *Conn {
	return &Conn{Conn: conn, frames: frames{limit: int64(limit)}, onDrained: onDrained, onLost: onLost}
}

// Read reports the first error to onLost at once: paho tells later.
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

// cutByUs reports whether the connection ended because of fail.
func (w *Conn) CutByUs() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// Lock begins a packet: paho takes it around the writes of one.
func (w *Conn) Lock() { w.mu.Lock() }

// Write adds to the packet that Lock began.
func (w *Conn) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.buf = append(w.grow(len(p)), p...)
	return len(p), nil
}

// Unlock ends the packet and has it written soon.
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

// publish writes a PUBLISH, and reports false where nothing can be written any more.
func (w *Conn) Publish(p Publication) bool {
	w.Lock()
	defer w.Unlock()
	if w.err != nil {
		return false
	}
	w.buf = p.Append(w.grow(p.Size()))
	return true
}

// hasRoom reports whether the buffer is below its limit. If it is not, onDrained will be called.
func (w *Conn) HasRoom() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.buf) < writeLimit || w.err != nil {
		return true
	}
	w.waiting = true
	return false
}

// flush writes until nothing is left.
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
			_ = w.SetReadDeadline(time.Now().Add(drainTimeout)) // the broker may have said why before
		}
		w.tellDrained()
	}
	w.flushing = false
	closing := w.closing
	w.mu.Unlock()
	if closing {
		w.closeWrite()
	}
}

// setWriteDeadline leaves the shorter one of a closing wire.
func (w *Conn) setWriteDeadline() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closing {
		_ = w.SetWriteDeadline(time.Now().Add(writeTimeout))
	}
}

// tellDrained needs mu, and gives it up meanwhile.
func (w *Conn) tellDrained() {
	if !w.waiting || (len(w.buf) >= writeLimit && w.err == nil) {
		return
	}
	w.waiting = false
	w.mu.Unlock()
	w.onDrained()
	w.mu.Lock()
}

// closeSoon closes when everything is written. Writing may take closeTimeout, and the broker may take as long to close.
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

// closeWrite leaves the rest to the broker, which closes after DISCONNECT. Closing with something unread would reset the connection, and the
// broker could lose what it has not read.
func (w *Conn) closeWrite() {
	c, ok := w.Conn.(interface{ CloseWrite() error })
	if !ok || w.SetReadDeadline(time.Now().Add(closeTimeout)) != nil || c.CloseWrite() != nil {
		_ = w.Close()
	}
}

// fail closes at once because of cause, which onLost gets.
func (w *Conn) Fail(cause error) {
	w.mu.Lock()
	if w.err == nil {
		w.err, w.failed = cause, true
	}
	w.mu.Unlock()
	_ = w.Close()
}

// setLive says whether the broker is there to be told why the connection ends.
func (w *Conn) SetLive(live bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.live = live
}

// reject closes because the broker broke the rules, and tells it the reason if it can.
func (w *Conn) Reject(reason byte, cause error) {
	w.mu.Lock()
	live := w.live && w.err == nil
	if w.err == nil {
		w.err, w.failed = cause, true
	}
	w.live, w.parting = false, w.parting || live
	w.mu.Unlock()
	w.rejected.Store(true)
	if live {
		_ = w.SetDeadline(time.Now().Add(rejectTimeout))
		_, _ = w.Conn.Write([]byte{packets.DISCONNECT << 4, 1, reason})
		w.awaitClose()
		w.mu.Lock()
		w.parting = false
		w.mu.Unlock()
	}
	_ = w.Close()
}

// awaitClose gives the broker until the deadline to close: closing with something unread resets the connection, and the broker could lose DISCONNECT.
func (w *Conn) awaitClose() {
	if c, ok := w.Conn.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(w.Conn, writeLimit))
	}
}

// Close closes at once, unless reject is about to. paho calls it, before anything has failed, where it cannot read a packet.
func (w *Conn) Close() error {
	w.mu.Lock()
	if w.live && w.err == nil && !w.closing {
		w.mu.Unlock()
		w.Reject(errUnreadable.Reason, errUnreadable)
		return nil
	}
	if w.parting {
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
