package listener

import (
	"container/list"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// evictAfter is how long a connection that is still opening is safe from being closed in favour of a newer one.
	evictAfter = 2 * time.Second
	// evictScan is how many of the oldest are looked at for one that waits for its peer.
	evictScan = 16
	// openingGrace is what opening connections have left when their listener closes.
	openingGrace = 2 * time.Second
)

// opening holds the accepted connections of a listener that are not attached yet: their PROXY header or their TLS handshake is under way. It
// bounds how many there are, and how many compute at once, so that a flood of handshakes leaves the processors to established devices.
type opening struct {
	maximum int
	turns   chan struct{}

	mu     sync.Mutex // guards the fields below
	conns  list.List  // of *openingConn, oldest first
	closed bool
}

// openingConn is one of them. Its turn is held while it computes and given back while it waits for its peer.
type openingConn struct {
	in      *opening
	conn    net.Conn
	place   *list.Element // guarded by opening.mu
	since   time.Time
	waiting atomic.Bool
	evicted atomic.Bool
}

func newOpening(maximum int) *opening {
	return &opening{maximum: maximum, turns: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// add takes a place, or returns nil. Where all are taken, the oldest that has kept us waiting for long enough makes room.
func (o *opening) add(c net.Conn) *openingConn {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conns.Len() >= o.maximum && !o.evict(time.Now()) {
		return nil
	}
	e := &openingConn{in: o, conn: c, since: time.Now()}
	e.waiting.Store(true)
	e.place = o.conns.PushBack(e)
	return e
}

// evict closes one; the caller holds mu.
func (o *opening) evict(now time.Time) bool {
	scanned := 0
	for place := o.conns.Front(); place != nil && scanned < evictScan; place = place.Next() {
		e := place.Value.(*openingConn)
		if now.Sub(e.since) < evictAfter {
			return false
		}
		if e.waiting.Load() {
			e.evicted.Store(true)
			o.remove(e)
			_ = e.conn.Close()
			return true
		}
		scanned++
	}
	return false
}

// remove gives the place up; the caller holds mu.
func (o *opening) remove(e *openingConn) {
	if e.place != nil {
		o.conns.Remove(e.place)
		e.place = nil
	}
}

// close leaves the opening connections a moment to finish.
func (o *opening) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for place := o.conns.Front(); place != nil; place = place.Next() {
		_ = place.Value.(*openingConn).conn.SetDeadline(time.Now().Add(openingGrace))
	}
}

// bound sets the deadline of what comes next.
func (e *openingConn) bound(d time.Duration) {
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	if e.in.closed {
		d = min(d, openingGrace)
	}
	_ = e.conn.SetDeadline(time.Now().Add(d))
}

// done gives the place up and takes the deadline away. It reports false where the connection was closed in favour of another.
func (e *openingConn) done() bool {
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	e.in.remove(e)
	_ = e.conn.SetDeadline(time.Time{})
	return !e.evicted.Load()
}

// compute waits for a turn.
func (e *openingConn) compute() {
	e.in.turns <- struct{}{}
	e.waiting.Store(false)
}

// rest gives the turn back.
func (e *openingConn) rest() {
	e.waiting.Store(true)
	<-e.in.turns
}
