package listener

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/admission"
)

// readBuffer is the size of one read.
const readBuffer = 16 << 10

var readBuffers = sync.Pool{New: func() any { return new([readBuffer]byte) }}

// streamConn is a *net.TCPConn or a *net.UnixConn.
type streamConn interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}

// streamSocket is one TCP or unix connection. It holds a read buffer only while there is data to read: the poller's
// callback tries the read, and returns the buffer to the pool before it waits.
type streamSocket struct {
	conn        streamConn
	raw         syscall.RawConn
	peer, local netip.AddrPort
	ticket      admission.Ticket
	deadline    readDeadline
	above       Upgraded // nil if the gateway gets the bytes as they are

	evicted atomic.Bool // closed to free its descriptor
	silent  admission.SilentEntry

	// Owned by the reading goroutine.
	early   []byte // bytes that came with a header or handshake, or that the connection could not take yet
	spoke   bool   // the device has sent something
	tryRead func(fd uintptr) bool
	buf     *[readBuffer]byte
	n       int
	readErr error

	// Owned by the writer; the gateway's connection allows one at a time.
	tryWrite func(fd uintptr) bool
	out      []byte
	written  int
	writeErr error
}

var (
	_ gateway.Transport    = (*streamSocket)(nil)
	_ gateway.AuthObserver = (*streamSocket)(nil)
)

func newStreamSocket(c streamConn) (*streamSocket, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &streamSocket{conn: c, raw: raw, peer: addrPort(c.RemoteAddr()), local: addrPort(c.LocalAddr())}
	s.tryRead, s.tryWrite = s.readOnce, s.writeOnce
	s.deadline.set = c.SetReadDeadline
	return s, nil
}

// Info describes the peer. Unix sockets report no address.
func (s *streamSocket) Info() gateway.ConnInfo {
	return gateway.ConnInfo{SocketType: gateway.SocketTCP, Peer: s.peer, Local: s.local}
}

// AuthFailed counts a failure against the device's address.
func (s *streamSocket) AuthFailed() { s.ticket.Failed() }

// serve reads until the connection or the peer ends.
func (s *streamSocket) serve(c *gateway.Conn) {
	for c.WaitReadable() == nil {
		if err := s.read(); err != nil {
			if err == errReplaceReader {
				go s.serve(c)
				return
			}
			s.ended(c, err)
			return
		}
		s.pass(c, s.buf[:s.n])
		s.giveBack()
	}
	s.discard()
	c.ReadEnded(net.ErrClosed)
}

// discard drops what the peer still sends while the last bytes go out, until CloseWrite's deadline.
func (s *streamSocket) discard() {
	for err := s.read(); err == nil || err == errReplaceReader; err = s.read() {
		s.giveBack()
	}
}

// read waits for bytes and stores them in buf.
func (s *streamSocket) read() error {
	if len(s.early) > 0 { // at most one buffer
		s.buf = readBuffers.Get().(*[readBuffer]byte)
		s.n = copy(s.buf[:], s.early)
		s.early = nil
		return nil
	}
	if err := s.raw.Read(s.tryRead); err != nil {
		if s.deadline.expired(err) {
			return errReplaceReader
		}
		return err
	}
	if s.readErr == nil && s.n > 0 {
		return nil
	}
	s.giveBack()
	if s.readErr != nil {
		return os.NewSyscallError("read", s.readErr)
	}
	return io.EOF
}

func (s *streamSocket) readOnce(fd uintptr) bool {
	s.buf = readBuffers.Get().(*[readBuffer]byte)
	for {
		s.n, s.readErr = unix.Read(int(fd), s.buf[:])
		if s.readErr != unix.EINTR {
			break
		}
	}
	if s.readErr == unix.EAGAIN {
		s.giveBack()
		return false
	}
	return true
}

func (s *streamSocket) giveBack() {
	if s.buf != nil {
		readBuffers.Put(s.buf)
		s.buf = nil
	}
}

// TryWrite writes what the kernel accepts without waiting.
func (s *streamSocket) TryWrite(b []byte) (int, error) {
	s.out, s.written, s.writeErr = b, 0, nil
	err := s.raw.Write(s.tryWrite)
	s.out = nil
	if err == nil && s.writeErr != nil {
		err = os.NewSyscallError("write", s.writeErr)
	}
	return s.written, err
}

func (s *streamSocket) writeOnce(fd uintptr) bool {
	s.written, s.writeErr = writeSome(fd, s.out)
	return true
}

// writeSome writes as much of b as the kernel accepts.
func writeSome(fd uintptr, b []byte) (written int, err error) {
	for written < len(b) {
		n, err := unix.Write(int(fd), b[written:])
		switch err {
		case nil:
			written += n
		case unix.EINTR:
		case unix.EAGAIN:
			return written, nil
		default:
			return written, err
		}
	}
	return written, nil
}

// Write writes all of b, or fails at the write deadline.
func (s *streamSocket) Write(b []byte) (int, error) { return s.conn.Write(b) }

// SetWriteDeadline bounds Write.
func (s *streamSocket) SetWriteDeadline(t time.Time) error { return s.conn.SetWriteDeadline(t) }

// CloseWrite sends FIN and gives the peer the time linger to close its side.
func (s *streamSocket) CloseWrite(linger time.Duration) error {
	if err := s.conn.CloseWrite(); err != nil {
		return err
	}
	return s.deadline.giveUpAfter(linger)
}

// Close closes the socket and releases its ticket.
func (s *streamSocket) Close() error {
	s.ticket.Heard(&s.silent)
	err := s.conn.Close()
	s.ticket.Release()
	return err
}

// Abort closes the socket and discards what the kernel has not sent yet.
func (s *streamSocket) Abort() error {
	if tcp, ok := s.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	return s.Close()
}

// HasUnread reports whether bytes of the device wait in the socket.
func (s *streamSocket) HasUnread() bool { return admission.HasUnread(s.raw) }

// MakeRoom closes the socket to free its descriptor for another connection.
func (s *streamSocket) MakeRoom() {
	s.evicted.Store(true)
	abort(s.conn)
	s.ticket.LeaveDescriptors()
}

// ended reports the end of the reading to the connection.
func (s *streamSocket) ended(c *gateway.Conn, err error) {
	if s.evicted.Load() {
		c.Close(gateway.ReasonNoDescriptors)
	}
	c.ReadEnded(err)
}

// heard notes that the device has sent something.
func (s *streamSocket) heard() {
	if !s.spoke {
		s.spoke = true
		s.ticket.Heard(&s.silent)
	}
}

var (
	_ gateway.Peeker = (*streamSocket)(nil)
	_ gateway.Peeker = (*tlsSocket)(nil)
)

// Peek reports what the next read would find, without reading.
func (s *streamSocket) Peek() error {
	if len(s.early) > 0 {
		return nil
	}
	var n int
	var peekErr error
	err := s.raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, peekErr = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	switch {
	case err != nil:
		return err
	case peekErr == unix.EAGAIN || peekErr == unix.EINTR:
		return nil
	case peekErr != nil:
		return os.NewSyscallError("recvfrom", peekErr)
	case n == 0:
		return io.EOF
	}
	return nil
}

// Peek reports errors only, not io.EOF: records that were read but not yet decrypted may precede it.
func (s *tlsSocket) Peek() error {
	if err := s.streamSocket.Peek(); err != io.EOF {
		return err
	}
	return nil
}
