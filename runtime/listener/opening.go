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

// openingGrace is the time left to opening connections when their listener closes.
const openingGrace = 2 * time.Second

// silentPerHandshake is how many silent connections are allowed for each handshake: a silent one costs only a
// descriptor and a small stack.
const silentPerHandshake = 4

// opening holds a listener's accepted connections that are not attached yet. Connections still waiting for a PROXY
// header or ClientHello cost little and have a waiting room of their own, so they cannot evict a client in its
// handshake. It also bounds how many handshakes compute at once, so that a flood of them leaves the processors to
// established devices.
type opening struct {
	silent  *admission.WaitingRoom
	shaking *admission.WaitingRoom
	slots   chan struct{}

	mu     sync.Mutex // guards the fields below
	conns  map[*openingConn]struct{}
	closed bool
}

// openingConn is one of them. It owns a slot while it computes and releases it while it waits for its peer.
type openingConn struct {
	in      *opening
	conn    net.Conn
	evicted atomic.Bool

	// Owned by the connection's goroutine.
	room *admission.WaitingRoom
	slot *admission.Slot
}

// newOpening allows maximum handshakes at once. One prefix gets at most half of them.
func newOpening(maximum int) *opening {
	silent := maximum * silentPerHandshake
	return &opening{
		silent:  admission.NewWaitingRoom(silent, max(silent/2, 1)),
		shaking: admission.NewWaitingRoom(maximum, max(maximum/2, 1)),
		slots:   make(chan struct{}, runtime.GOMAXPROCS(0)), conns: make(map[*openingConn]struct{}),
	}
}

// begin adds c, from source, to the silent connections. If the room is full, the oldest is evicted.
func (o *opening) begin(c net.Conn, source netip.Addr) *openingConn {
	e := &openingConn{in: o, conn: c}
	o.mu.Lock()
	o.conns[e] = struct{}{}
	o.mu.Unlock()
	e.enter(o.silent, source)
	return e
}

// close gives opening connections openingGrace to finish.
func (o *opening) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for e := range o.conns {
		_ = e.conn.SetDeadline(time.Now().Add(openingGrace))
	}
}

// enter moves e to another room. It returns false if e was evicted meanwhile, or if that room is full and all in it are
// computing.
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

// abort closes a connection with a reset, so that the kernel drops it at once.
func abort(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// bound sets the deadline of the next step.
func (e *openingConn) bound(d time.Duration) {
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	if e.in.closed {
		d = min(d, openingGrace)
	}
	_ = e.conn.SetDeadline(time.Now().Add(d))
}

// done leaves the room and clears the deadline. It returns false if the connection was evicted.
func (e *openingConn) done() bool {
	e.in.mu.Lock()
	delete(e.in.conns, e)
	e.in.mu.Unlock()
	kept := e.room.Leave(e.slot)
	_ = e.conn.SetDeadline(time.Time{})
	return kept
}

// acquire waits for a slot. From here on the client waits for this side, and is not evicted. A nil openingConn needs no
// slot.
func (e *openingConn) acquire() {
	if e == nil {
		return
	}
	e.slot.Busy.Store(true)
	e.in.slots <- struct{}{}
}

// release gives the slot back.
func (e *openingConn) release() {
	if e == nil {
		return
	}
	e.slot.Busy.Store(false)
	<-e.in.slots
}
