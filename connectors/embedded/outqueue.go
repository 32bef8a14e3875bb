package embedded

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Limits for the data queued for slow network clients, in bytes. mochi's own queue counts messages only, and is emptied
// into these at once.
const (
	maxClientQueue = 8 << 20 // above it the client is disconnected: a packet cannot be left out
	softQueue      = 4 << 20 // above it messages for the client are dropped
	// of all clients together; above it messages for clients with more than fairQueue are dropped
	maxAllQueues = 64 << 20
	fairQueue    = 64 << 10
	writePiece   = 64 << 10 // size of one write
)

// flushTimeout is how long the last bytes for a client may take after its connection is closed.
const flushTimeout = time.Second

// outQueue writes to a network client without blocking the caller, on a goroutine that exists only while data is
// queued.
type outQueue struct {
	conn  net.Conn
	total *atomic.Int64 // of all clients
	fail  func(reason string)

	size atomic.Int64

	mu      sync.Mutex
	waiting [][]byte // guarded by mu, like all fields below
	writing bool
	closing bool // close the connection once the queue is empty
	dead    bool
}

// full reports whether messages for the client must be dropped.
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

// kill drops the queue and closes the connection. The caller holds mu.
func (q *outQueue) kill() {
	q.dead = true
	for _, b := range q.waiting {
		q.count(-len(b))
	}
	q.waiting = nil
	_ = q.conn.Close()
}

// flush writes the queue until it is empty.
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

// next takes the data for one write and sets its deadline for each write anew, so that a slow reader is not mistaken
// for a stalled one. It returns nil if the queue is empty.
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

// failed ends the connection of a client that does not read, or is gone.
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

// close closes the connection after the queue is written, or after flushTimeout. Reading ends at once.
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
