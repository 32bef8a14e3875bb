package listener

import (
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/exgate/exgate/runtime/listener/admission"
)

// openingGrace is what opening connections have left when their listener closes.
const openingGrace = 2 * time.Second

// silentPerHandshake is how many connections may be silent for each one that may be in its handshake: a silent one
// costs a descriptor and a small stack.
const silentPerHandshake = 4

// opening holds the accepted connections of a listener that are not attached yet. Those whose PROXY header or
// ClientHello is not there cost little, and have a room of their own: they cannot take the place of a client that is in
// its handshake. It also bounds how many compute at once, so that a flood of handshakes leaves the processors to
// established devices.
type opening struct {
	silent  *admission.WaitingRoom
	shaking *admission.WaitingRoom
	slots   chan struct{}

	mu     sync.Mutex // guards the fields below
	conns  map[*openingConn]struct{}
	closed bool
}

// openingConn is one of them. Its turn is held while it computes and given back while it waits for its peer.
type openingConn struct {
	in      *opening
	conn    net.Conn
	evicted atomic.Bool

	// Owned by the connection's goroutine.
	room *admission.WaitingRoom
	slot *admission.Slot
}

// newOpening allows maximum handshakes at once. One prefix has at most half of the places.
func newOpening(maximum int) *opening {
	silent := maximum * silentPerHandshake
	return &opening{
		silent:  admission.NewWaitingRoom(silent, max(silent/2, 1)),
		shaking: admission.NewWaitingRoom(maximum, max(maximum/2, 1)),
		slots:   make(chan struct{}, runtime.GOMAXPROCS(0)), conns: make(map[*openingConn]struct{}),
	}
}

// begin gives c, from source, a place among the silent. Where all are taken, the oldest makes room.
func (o *opening) begin(c net.Conn, source netip.Addr) *openingConn {
	e := &openingConn{in: o, conn: c}
	o.mu.Lock()
	o.conns[e] = struct{}{}
	o.mu.Unlock()
	e.enter(o.silent, source)
	return e
}

// close leaves the opening connections a moment to finish.
func (o *opening) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for e := range o.conns {
		_ = e.conn.SetDeadline(time.Now().Add(openingGrace))
	}
}

// enter gives e a place in another room. It reports false where e lost its place meanwhile, or where all in that room
// compute.
func (e *openingConn) enter(room *admission.WaitingRoom, source netip.Addr) bool {
	next := admission.NewSlot(source, e.evict)
	next.Busy.Store(room == e.in.shaking) // until it waits for its peer
	if e.slot != nil && !e.room.Leave(e.slot) {
		return false
	}
	e.room, e.slot = room, next
	return room.Enter(next)
}

func (e *openingConn) evict() {
	e.evicted.Store(true)
	abort(e.conn)
}

// abort closes a connection without a word, and has the kernel forget it.
func abort(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
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

// done gives the place up and takes the deadline away. It reports false where the connection was closed in favour of
// another.
func (e *openingConn) done() bool {
	e.in.mu.Lock()
	delete(e.in.conns, e)
	e.in.mu.Unlock()
	kept := e.room.Leave(e.slot)
	_ = e.conn.SetDeadline(time.Time{})
	return kept
}

// acquire waits for a turn. From here on the connection waits for this side, and is not evicted.
func (e *openingConn) acquire() {
	e.slot.Busy.Store(true)
	e.in.slots <- struct{}{}
}

// release gives the turn back.
func (e *openingConn) release() {
	e.slot.Busy.Store(false)
	<-e.in.slots
}
