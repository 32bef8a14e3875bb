package udp

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/exgate/exgate/runtime/listener/admission"
)

// Peer is one source of datagrams: a connection that shares the socket.
type Peer struct {
	mux    *Mux
	addr   netip.AddrPort
	ticket admission.Ticket
	heard  atomic.Int64 // when the last datagram came, on mux.now's clock

	mu        sync.Mutex // guards the fields below
	local     netip.Addr // the address the peer sent to last; replies leave from it
	first     *Datagram  // the queue
	last      *Datagram
	datagrams int
	bytes     int
	scheduled bool // waiting for a worker, or running
	silent    bool // receiver.idle is due
	blocked   bool // its receiver is not ready; scheduled stays set
	woken     bool // it became ready before blocked was set
	closed    bool

	// Owned by the goroutine that runs the peer.
	opened   bool
	receiver Receiver

	// Guarded by workers.mu.
	next  *Peer
	since uint64
}

// runLength is how many datagrams of one peer are handled before the worker takes the next peer.
const runLength = 32

// Addr is the peer's address.
func (p *Peer) Addr() netip.AddrPort { return p.addr }

// Local is the address that the peer sent to.
func (p *Peer) Local() netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	bound := p.mux.socket.addr()
	if p.local.IsValid() {
		return netip.AddrPortFrom(p.local, bound.Port())
	}
	return bound
}

// Write sends one datagram. It never waits; a datagram that the socket does not accept is dropped and counted, without
// an error. After Close it fails with net.ErrClosed.
func (p *Peer) Write(b []byte) error {
	p.mu.Lock()
	local, closed := p.local, p.closed
	p.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	if err := p.mux.socket.write(b, p.addr, local); err != nil {
		p.mux.cfg.losses.add(sendLoss(err))
	}
	return nil
}

// push queues a copy of a datagram. It returns false if the peer was closed meanwhile.
func (p *Peer) push(a arrival, now time.Duration) bool {
	p.heard.Store(int64(now))
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return false
	}
	p.local = a.local
	cfg := &p.mux.cfg
	if p.datagrams >= cfg.queueDatagrams || p.datagrams > 0 && p.bytes+len(a.b) > cfg.queueBytes {
		p.mu.Unlock()
		cfg.losses.add(lostQueueFull)
		return true
	}
	p.append(CopyDatagram(a.b))
	p.scheduleUnlock()
	return true
}

// append adds to the queue; the caller holds mu.
func (p *Peer) append(d *Datagram) {
	if p.last == nil {
		p.first = d
	} else {
		p.last.next = d
	}
	p.last = d
	p.datagrams++
	p.bytes += len(d.Bytes)
}

// pop takes the head of the queue.
func (p *Peer) pop() *Datagram {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.first
	if d == nil {
		return nil
	}
	p.first = d.next
	if p.first == nil {
		p.last = nil
	}
	p.datagrams--
	p.bytes -= len(d.Bytes)
	return d
}

// scheduleUnlock releases mu and has the peer run.
func (p *Peer) scheduleUnlock() {
	run := !p.scheduled
	p.scheduled = true
	p.mu.Unlock()
	switch {
	case !run:
	case p.mux.cfg.Inline:
		for p.run() {
		}
	default:
		p.mux.workers.add(p)
	}
}

// run handles queued datagrams and reports whether there are more.
func (p *Peer) run() (more bool) {
	p.open()
	held := false
	for range runLength {
		if held = !p.ready(); held {
			break
		}
		d := p.pop()
		if d == nil {
			break
		}
		p.receiver.Receive(d.Bytes)
		d.Release()
	}
	return p.endRun(held)
}

// ready reports whether the receiver accepts the next datagram, if there is one.
func (p *Peer) ready() bool {
	p.mu.Lock()
	p.woken = false
	empty := p.first == nil
	p.mu.Unlock()
	return empty || p.receiver.Ready(p.wake)
}

// wake runs a blocked peer.
func (p *Peer) wake() {
	p.mu.Lock()
	p.woken = true
	p.resumeUnlock()
}

// resumeUnlock releases mu and has the peer run if it is blocked.
func (p *Peer) resumeUnlock() {
	if p.blocked {
		p.blocked, p.scheduled = false, false
		p.scheduleUnlock()
		return
	}
	p.mu.Unlock()
}

func (p *Peer) open() {
	if p.opened {
		return
	}
	p.opened = true
	if p.receiver = p.mux.cfg.NewPeer(p); p.receiver == nil {
		p.mux.cfg.losses.add(lostRefused)
		p.Close()
	}
}

// endRun ends the run of a peer whose queue is empty or whose receiver is not ready.
func (p *Peer) endRun(held bool) (more bool) {
	p.mu.Lock()
	switch {
	case p.closed:
		p.mu.Unlock()
		p.end()
		return false
	case p.first != nil && !held:
		p.mu.Unlock()
		return true
	case p.silent:
		p.silent = false
		p.mu.Unlock()
		if p.mux.Now()-time.Duration(p.heard.Load()) >= p.mux.cfg.idleTimeout {
			p.receiver.Idle()
		}
		return true
	case held && p.woken:
		p.mu.Unlock()
		return true
	case held:
		p.blocked = true
		p.mu.Unlock()
		return false
	}
	p.scheduled = false
	p.mu.Unlock()
	return false
}

// end runs once: a closed peer stays scheduled for good.
func (p *Peer) end() {
	if p.receiver != nil {
		p.receiver.Ended()
	}
	p.ticket.Release()
	p.mux.peerEnded()
}

// Close ends the peer: queued datagrams are dropped and the receiver's Ended is called. The next datagram of its source
// makes a new peer. Calling it again does nothing.
func (p *Peer) Close() {
	p.mux.forget(p)
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	p.dropQueue()
	if p.blocked {
		p.resumeUnlock()
		return
	}
	p.scheduleUnlock()
}

// dropQueue empties the queue; the caller holds mu.
func (p *Peer) dropQueue() {
	for d := p.first; d != nil; {
		next := d.next
		d.Release()
		p.mux.cfg.losses.add(lostClosed)
		d = next
	}
	p.first, p.last, p.datagrams, p.bytes = nil, nil, 0, 0
}

// Datagram is a pooled copy of a datagram.
type Datagram struct {
	Bytes []byte
	next  *Datagram
}

// pooledDatagram is the size of pooled buffers: more than an Ethernet frame carries.
const pooledDatagram = 2 << 10

var datagramPool = sync.Pool{New: func() any { return &Datagram{Bytes: make([]byte, 0, pooledDatagram)} }}

// CopyDatagram copies b. Release the copy when it is no longer needed.
func CopyDatagram(b []byte) *Datagram {
	if len(b) > pooledDatagram {
		return &Datagram{Bytes: append([]byte(nil), b...)}
	}
	d := datagramPool.Get().(*Datagram)
	d.Bytes = append(d.Bytes[:0], b...)
	return d
}

func (d *Datagram) Release() {
	d.next = nil
	if cap(d.Bytes) == pooledDatagram {
		datagramPool.Put(d)
	}
}
