package dtls

import (
	"net"
	"os"
	"sync"
	"time"

	"github.com/exgate/exgate/runtime/listener/udp"
)

// path is a way to a client: it has more than one when it roams with a connection ID. The library sees it as the
// address.
type path struct {
	peer *udp.Peer
}

// Network is udp.
func (p *path) Network() string { return "udp" }
func (p *path) String() string  { return p.peer.Addr().String() }

// datagramPipe is the socket that the library believes to have: it reads the datagrams of one client only, those that
// the guard let pass.
type datagramPipe struct {
	sending func(b []byte, to *path) error // sees what goes out, and may forbid it; nil: nothing to see

	wake chan struct{}

	mu       sync.Mutex // guards the fields below
	room     pipeRoom
	queue    []pipedDatagram
	bytes    int
	deadline time.Time
	closed   bool
}

// pipeRoom is how much may wait for the library to read it. Over it, datagrams are dropped, as a socket would.
type pipeRoom struct {
	datagrams, bytes int
}

// handshakeRoom is that of a handshake. The longest flight takes a few datagrams.
var handshakeRoom = pipeRoom{32, 64 << 10}

type pipedDatagram struct {
	*udp.Datagram
	from *path
}

var _ net.PacketConn = (*datagramPipe)(nil)

func newDatagramPipe(sending func(b []byte, to *path) error) *datagramPipe {
	return &datagramPipe{room: handshakeRoom, sending: sending, wake: make(chan struct{}, 1)}
}

// push queues a copy of b, or reports false where too much waits.
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

// established gives the pipe the room of a session whose handshake is complete.
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

// ReadFrom waits for a datagram. What does not fit into b is cut off.
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

// next takes a datagram, or says how long to wait for one; 0 is for ever.
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
		p.queue = nil // a silent client holds nothing
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

// WriteTo sends one datagram on a path. What the socket does not take is lost.
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
	_ = path.peer.Write(b) // a path that is gone is one that loses datagrams
	return len(b), nil
}

func (p *datagramPipe) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// Close wakes the reader. The client's peer is not the pipe's to close.
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

// LocalAddr says nothing: the library does not ask.
func (p *datagramPipe) LocalAddr() net.Addr { return &net.UDPAddr{} }

// SetReadDeadline wakes the reader where t has passed.
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
