package gateway

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// sendQueue writes to the device. A write is tried at once; bytes that the socket does not accept wait for a goroutine
// that exists only while some are left.
type sendQueue struct {
	mu      sync.Mutex // guards the fields below
	waiting [][]byte
	bytes   int
	writing bool      // the writer goroutine is running
	ending  time.Time // if not zero, the connection is closed and queued bytes are sent until then
	ended   bool      // the write side is done
	readEnd bool      // the read side is done
	freed   bool      // the socket is closed
}

// writeChunk is how many bytes are written under one deadline, so that a peer that is slow but makes progress is not
// taken for dead.
const writeChunk = 64 << 10

// Send queues a copy of b for the device.
func (c *Conn) Send(b []byte) Result {
	if c.closing.Load() {
		return resultNotAlive
	}
	if t, ok := c.transport.(MessageTransport); ok {
		if r := t.CheckSend(len(b)); !r.Ok() {
			return r
		}
	}
	frame := b
	if c.framed != nil {
		frame = c.framed.Frame(b)
	}
	reason, ok := c.out.send(c, frame)
	if !ok {
		c.Close(reason)
		return resultNotAlive
	}
	c.metrics.sent.Add(float64(len(b)))
	if c.gw.queues.exceeded() {
		c.gw.relieveQueues()
	}
	return OK
}

func (q *sendQueue) send(c *Conn, b []byte) (CloseReason, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended || !q.ending.IsZero() {
		// closed by another goroutine; bytes after the end would make the peer lose those before it
		return ReasonNormal, false
	}
	if !q.writing {
		n, err := c.transport.TryWrite(b)
		if err != nil {
			return c.socketReason(err), false
		}
		if n == len(b) {
			return CloseReason{}, true
		}
		b = b[n:]
	}
	if q.bytes+len(b) > c.limits.SendQueueBytes {
		return ReasonSendQueueFull.With("%d bytes wait for the device", q.bytes), false
	}
	q.enqueue(c, b)
	return CloseReason{}, true
}

// enqueue adds b and starts the writer goroutine if it does not run; the caller holds mu.
func (q *sendQueue) enqueue(c *Conn, b []byte) {
	q.add(c, b)
	q.bytes += len(b)
	c.queued(len(b))
	if !q.writing {
		q.writing = true
		c.gw.queues.writing(c)
		go q.write(c)
	}
}

// SendControl sends frame, a control frame of a [FramedTransport], between the frames of Send. If earlier bytes still
// wait for the device, it drops frame and returns false.
func (c *Conn) SendControl(frame []byte) bool {
	q := &c.out
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended || !q.ending.IsZero() || q.writing {
		return false
	}
	q.control(c, frame)
	return true
}

// control writes frame, or queues what the socket does not accept; the caller holds mu. A failed write is not reported:
// the next read fails too.
func (q *sendQueue) control(c *Conn, frame []byte) {
	n := 0
	if !q.writing {
		var err error
		if n, err = c.transport.TryWrite(frame); err != nil {
			return
		}
	}
	if n < len(frame) {
		q.enqueue(c, frame[n:])
	}
}

// add copies b to the end of the queue; the caller holds mu. Small pieces for a stream share one chunk: each alone
// would cost more than its bytes.
func (q *sendQueue) add(c *Conn, b []byte) {
	last := len(q.waiting) - 1
	if last >= 0 && c.info.SocketType < SocketUDP && len(q.waiting[last])+len(b) <= writeChunk {
		q.waiting[last] = append(q.waiting[last], b...)
		return
	}
	q.waiting = append(q.waiting, append([]byte(nil), b...))
}

// write empties the queue.
func (q *sendQueue) write(c *Conn) {
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.writing = false
			c.gw.queues.written(c)
			closed := !q.ending.IsZero()
			_ = c.transport.SetWriteDeadline(time.Time{}) // a deadline that has passed would fail the next TryWrite
			q.mu.Unlock()
			if closed {
				q.end(c)
			}
			return
		}
		b := q.waiting[0]
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
		q.mu.Unlock()
		if err := q.writeOne(c, b); err != nil {
			q.failed(c, err)
			return
		}
	}
}

func (q *sendQueue) writeOne(c *Conn, b []byte) error {
	for len(b) > 0 {
		q.mu.Lock()
		deadline := time.Now().Add(c.limits.SendTimeout)
		if !q.ending.IsZero() && q.ending.Before(deadline) {
			deadline = q.ending
		}
		err := c.transport.SetWriteDeadline(deadline)
		q.mu.Unlock()
		if err != nil {
			return err
		}
		n, err := c.transport.Write(b[:min(len(b), writeChunk)])
		q.mu.Lock()
		taken := min(n, q.bytes) // none are left after abort
		q.bytes -= taken
		c.unqueued(taken)
		q.mu.Unlock()
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// failed closes the connection for a write error and drops the queued bytes.
func (q *sendQueue) failed(c *Conn, err error) {
	c.Close(c.socketReason(err))
	q.mu.Lock()
	q.writing = false
	c.gw.queues.written(c)
	q.mu.Unlock()
	q.abort(c)
}

// shutdown stops the queue for reason: queued bytes are still sent unless the peer has gone or is too slow.
func (q *sendQueue) shutdown(c *Conn, reason CloseReason) {
	if reason.abrupt() {
		q.abort(c)
		return
	}
	q.mu.Lock()
	if c.framed != nil && !q.ended && q.ending.IsZero() {
		q.control(c, c.framed.LastFrame(reason))
	}
	q.ending = time.Now().Add(c.limits.CloseTimeout)
	writing := q.writing
	if writing {
		_ = c.transport.SetWriteDeadline(q.ending)
	}
	q.mu.Unlock()
	if !writing {
		q.end(c)
	}
}

// end tells the peer that no more bytes will come, and frees the socket if it is no longer read.
func (q *sendQueue) end(c *Conn) {
	q.mu.Lock()
	if q.ended {
		q.mu.Unlock()
		return
	}
	q.ended = true
	readEnd := q.readEnd
	q.mu.Unlock()
	if err := c.transport.CloseWrite(c.limits.LingerTimeout); err != nil || readEnd {
		q.free(c, c.transport.Close)
	}
}

// abort frees the socket at once.
func (q *sendQueue) abort(c *Conn) {
	q.mu.Lock()
	q.ended = true
	c.metrics.drop(droppedSendClosed, q.bytes)
	c.unqueued(q.bytes)
	q.waiting, q.bytes = nil, 0
	q.mu.Unlock()
	q.free(c, c.transport.Abort)
}

// free closes the socket, once.
func (q *sendQueue) free(c *Conn, closeIt func() error) {
	q.mu.Lock()
	first := !q.freed
	q.freed = true
	q.mu.Unlock()
	if first {
		_ = closeIt()
		c.gw.sockets.done()
	}
}

// ReadEnded is the listener's last call: it has stopped reading. err is io.EOF if the peer closed, otherwise the error
// of the read; it is ignored if this side has already closed the connection.
func (c *Conn) ReadEnded(err error) {
	c.Close(c.socketReason(err))
	c.out.mu.Lock()
	c.out.readEnd = true
	ended := c.out.ended
	c.out.mu.Unlock()
	if ended {
		c.out.free(c, c.transport.Close)
	}
}

// abrupt reports whether a connection that ends for r can no longer be written to.
func (r CloseReason) abrupt() bool {
	switch r.Code {
	case ReasonSendQueueFull.Code, ReasonQueueBudget.Code, ReasonSendTimeout.Code, ReasonSocketFail.Code,
		ReasonConnReset.Code,
		ReasonTimedOut.Code, ReasonBrokenPipe.Code, ReasonNoDescriptors.Code:
		return true
	}
	return false
}

// socketReason names what a socket's error means, in EMQX's words.
func (c *Conn) socketReason(err error) CloseReason {
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		return ReasonConnReset
	case errors.Is(err, syscall.EPIPE):
		return ReasonBrokenPipe
	case errors.Is(err, syscall.ETIMEDOUT):
		return ReasonTimedOut
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ReasonSendTimeout
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		if c.info.SocketType == SocketSSL || c.info.SocketType == SocketDTLS {
			return ReasonSSLClosed
		}
		return ReasonTCPClosed
	}
	return ReasonSocketFail.With("%v", err)
}
