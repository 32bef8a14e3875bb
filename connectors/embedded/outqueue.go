package embedded

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of what waits for network clients that read slowly, in bytes. mochi's own queue counts messages only; it is
// emptied at once into these.
const (
	maxClientQueue = 8 << 20 // beyond it the client is cut off: a packet of it cannot be left out
	softQueue      = 4 << 20 // beyond it messages for the client are dropped
	// of all clients together; beyond it messages for those with more than fairQueue are dropped
	maxAllQueues = 64 << 20
	fairQueue    = 64 << 10
	writePiece   = 64 << 10 // of one write
)

// flushTimeout is how long the last bytes for a client may take when its connection is closed.
const flushTimeout = time.Second

// outQueue writes to a network client without blocking whoever calls, on a goroutine that exists only while something
// waits.
type outQueue struct {
	conn  net.Conn
	total *atomic.Int64 // of all clients
	fail  func(reason string)

	size atomic.Int64

	mu      sync.Mutex
	waiting [][]byte // guarded by mu, as all below
	writing bool
	closing bool // close the connection once nothing waits
	dead    bool
}

// full reports whether messages for the client are to be dropped.
func (q *outQueue) full() bool {
	size := q.size.Load()
	return size > softQueue || (size > fairQueue && q.total.Load() > maxAllQueues)
}

func (q *outQueue) write(b []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.dead || q.closing:
		return 0, net.ErrClosed
	case q.size.Load()+int64(len(b)) > maxClientQueue+maxPacketSize:
		q.kill()
		q.fail(closedQueueFull)
		return 0, net.ErrClosed
	}
	if last := len(q.waiting) - 1; last >= 0 && len(q.waiting[last])+len(b) <= writePiece {
		q.waiting[last] = append(q.waiting[last], b...) // small packets share a write
	} else {
		q.waiting = append(q.waiting, append([]byte(nil), b...))
	}
	q.count(len(b))
	if !q.writing {
		q.writing = true
		go q.flush()
	}
	return len(b), nil
}

func (q *outQueue) count(n int) {
	q.size.Add(int64(n))
	q.total.Add(int64(n))
}

// kill drops what waits and closes the connection; the caller holds mu.
func (q *outQueue) kill() {
	q.dead = true
	for _, b := range q.waiting {
		q.count(-len(b))
	}
	q.waiting = nil
	_ = q.conn.Close()
}

// flush writes what waits.
func (q *outQueue) flush() {
	for {
		b := q.next()
		if b == nil {
			return
		}
		_, err := q.conn.Write(b)
		q.count(-len(b))
		if err != nil {
			q.failed()
			return
		}
	}
}

// next takes what one write is to carry, and gives it a deadline: a client that reads slowly is not taken for one that
// reads nothing. It returns nil where nothing waits.
func (q *outQueue) next() []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.dead || len(q.waiting) == 0 {
		q.writing = false
		if q.closing && !q.dead {
			q.kill()
		}
		return nil
	}
	if !q.closing {
		_ = q.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	}
	b := q.waiting[0]
	if len(b) > writePiece {
		q.waiting[0] = b[writePiece:]
		return b[:writePiece]
	}
	q.waiting[0] = nil
	q.waiting = q.waiting[1:]
	return b
}

// failed ends the connection of a client that does not read, or has gone.
func (q *outQueue) failed() {
	q.mu.Lock()
	wanted := q.closing || q.dead
	q.writing = false
	q.kill()
	q.mu.Unlock()
	if !wanted {
		q.fail(closedStalled)
	}
}

// abort closes the connection at once.
func (q *outQueue) abort() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.kill()
}

// close closes the connection when what waits has gone out, at the latest after flushTimeout. Reading ends at once.
func (q *outQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closing || q.dead {
		return
	}
	q.closing = true
	if !q.writing {
		q.kill()
		return
	}
	_ = q.conn.SetWriteDeadline(time.Now().Add(flushTimeout))
	_ = q.conn.SetReadDeadline(time.Unix(1, 0))
}
