package dtls

import (
	"net"
	"os"
	"sync"
	"time"

	"github.com/exgate/exgate/runtime/listener/udp"
)

// path is an address of a client, which has several when it roams with a connection ID. The library uses it as the
// net.Addr.
type path struct {
	peer *udp.Peer
}

// Network is udp.
func (p *path) Network() string { return "udp" }
func (p *path) String() string  { return p.peer.Addr().String() }

// datagramPipe is the library's socket: it delivers the datagrams of one client that passed the guard.
type datagramPipe struct {
	sending func(b []byte, to *path) error // inspects outgoing datagrams and may refuse them; may be nil

	wake chan struct{}

	mu       sync.Mutex // guards the fields below
	room     pipeRoom
	queue    []pipedDatagram
	bytes    int
	deadline time.Time
	closed   bool
}

// pipeRoom bounds the datagrams that wait for the library. Further ones are dropped, as by a socket.
type pipeRoom struct {
	datagrams, bytes int
}

// handshakeRoom is the room of a handshake. The longest flight takes a few datagrams.
var handshakeRoom = pipeRoom{32, 64 << 10}

type pipedDatagram struct {
	*udp.Datagram
	from *path
}

var _ net.PacketConn = (*datagramPipe)(nil)

func newDatagramPipe(sending func(b []byte, to *path) error) *datagramPipe {
	return &datagramPipe{room: handshakeRoom, sending: sending, wake: make(chan struct{}, 1)}
}

// push queues a copy of b, or returns false if the pipe is full.
func (p *datagramPipe) push(b []byte, from *path) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.queue) >= p.room.datagrams || len(p.queue) > 0 && p.bytes+len(b) > p.room.bytes {
		return false
	}
	p.queue = append(p.queue, pipedDatagram{udp.CopyDatagram(b), from})
	p.bytes += len(b)
	p.signal()
	return true
}

// established sets the room of a session whose handshake is complete.
func (p *datagramPipe) established(room pipeRoom) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.room = room
}

func (p *datagramPipe) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// ReadFrom waits for a datagram. It is truncated to b.
func (p *datagramPipe) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		d, wait, err := p.next()
		if err != nil {
			return 0, nil, err
		}
		if d.Datagram != nil {
			n := copy(b, d.Bytes)
			d.Release()
			return n, d.from, nil
		}
		p.await(wait)
	}
}

// next takes a datagram, or returns how long to wait for one; 0 means forever.
func (p *datagramPipe) next() (d pipedDatagram, wait time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return d, 0, net.ErrClosed
	}
	if !p.deadline.IsZero() {
		if wait = time.Until(p.deadline); wait <= 0 {
			return d, 0, os.ErrDeadlineExceeded
		}
	}
	if len(p.queue) == 0 {
		p.queue = nil // an idle client needs no memory
		return d, wait, nil
	}
	d = p.queue[0]
	p.queue[0] = pipedDatagram{}
	p.queue = p.queue[1:]
	p.bytes -= len(d.Bytes)
	return d, 0, nil
}

func (p *datagramPipe) await(d time.Duration) {
	if d == 0 {
		<-p.wake
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.wake:
	case <-t.C:
	}
}

// WriteTo sends one datagram to a path. A datagram that the socket does not accept is lost.
func (p *datagramPipe) WriteTo(b []byte, addr net.Addr) (int, error) {
	path, ok := addr.(*path)
	if !ok || p.isClosed() {
		return 0, net.ErrClosed
	}
	if p.sending != nil {
		if err := p.sending(b, path); err != nil {
			return 0, err
		}
	}
	_ = path.peer.Write(b) // a closed path loses datagrams
	return len(b), nil
}

func (p *datagramPipe) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// Close wakes the reader. It does not close the peer.
func (p *datagramPipe) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, d := range p.queue {
		d.Release()
	}
	p.queue, p.bytes = nil, 0
	p.signal()
	return nil
}

// LocalAddr returns an empty address: the library does not use it.
func (p *datagramPipe) LocalAddr() net.Addr { return &net.UDPAddr{} }

// SetReadDeadline sets the deadline of ReadFrom.
func (p *datagramPipe) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = t
	p.signal()
	return nil
}

// SetWriteDeadline does nothing: writing never waits.
func (p *datagramPipe) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline is SetReadDeadline.
func (p *datagramPipe) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }
