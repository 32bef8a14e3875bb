package listener

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/exgate/exgate/runtime/gateway"
)

// readBuffer is how much one read takes at most.
const readBuffer = 16 << 10

var readBuffers = sync.Pool{New: func() any { return new([readBuffer]byte) }}

// tcpSocket is one TCP connection. It holds a read buffer only while there is something to read: the read is tried inside the poller's
// callback, and a socket that has nothing gives the buffer back before it waits.
type tcpSocket struct {
	conn *net.TCPConn
	raw  syscall.RawConn

	// Owned by the reading goroutine.
	tryRead func(fd uintptr) bool
	buf     *[readBuffer]byte
	n       int
	readErr error

	// Owned by whoever writes; the gateway's connection lets one in at a time.
	tryWrite func(fd uintptr) bool
	out      []byte
	written  int
	writeErr error
}

var _ gateway.Transport = (*tcpSocket)(nil)

func newTCPSocket(c *net.TCPConn) (*tcpSocket, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &tcpSocket{conn: c, raw: raw}
	s.tryRead, s.tryWrite = s.readOnce, s.writeOnce
	return s, nil
}

// Info says who is at the other end.
func (s *tcpSocket) Info() gateway.ConnInfo {
	return gateway.ConnInfo{
		SocketType: gateway.SocketTCP, Peer: addrPort(s.conn.RemoteAddr()), Local: addrPort(s.conn.LocalAddr()),
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// serve reads until the connection or the peer ends.
func (s *tcpSocket) serve(c *gateway.Conn) {
	for c.WaitReadable() == nil {
		if err := s.read(); err != nil {
			c.ReadEnded(err)
			return
		}
		_ = c.Receive(s.buf[:s.n])
		s.giveBack()
	}
	for s.read() == nil { // what a peer still sends while the last bytes go out; CloseWrite's deadline bounds it
		s.giveBack()
	}
	c.ReadEnded(net.ErrClosed)
}

// read waits for bytes and leaves them in buf.
func (s *tcpSocket) read() error {
	if err := s.raw.Read(s.tryRead); err != nil {
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

func (s *tcpSocket) readOnce(fd uintptr) bool {
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

func (s *tcpSocket) giveBack() {
	readBuffers.Put(s.buf)
	s.buf = nil
}

// TryWrite writes what the kernel takes without waiting.
func (s *tcpSocket) TryWrite(b []byte) (int, error) {
	s.out, s.written, s.writeErr = b, 0, nil
	err := s.raw.Write(s.tryWrite)
	s.out = nil
	if err == nil && s.writeErr != nil {
		err = os.NewSyscallError("write", s.writeErr)
	}
	return s.written, err
}

func (s *tcpSocket) writeOnce(fd uintptr) bool {
	for s.written < len(s.out) {
		n, err := unix.Write(int(fd), s.out[s.written:])
		switch err {
		case nil:
			s.written += n
		case unix.EINTR:
		case unix.EAGAIN:
			return true
		default:
			s.writeErr = err
			return true
		}
	}
	return true
}

// Write writes all of b, at most until the write deadline.
func (s *tcpSocket) Write(b []byte) (int, error) { return s.conn.Write(b) }

// SetWriteDeadline bounds Write.
func (s *tcpSocket) SetWriteDeadline(t time.Time) error { return s.conn.SetWriteDeadline(t) }

// CloseWrite sends FIN and gives the peer linger to close too.
func (s *tcpSocket) CloseWrite(linger time.Duration) error {
	if err := s.conn.CloseWrite(); err != nil {
		return err
	}
	return s.conn.SetReadDeadline(time.Now().Add(linger))
}

// Close frees the socket.
func (s *tcpSocket) Close() error { return s.conn.Close() }

// Abort frees the socket and throws away what the kernel holds for the peer.
func (s *tcpSocket) Abort() error {
	_ = s.conn.SetLinger(0)
	return s.conn.Close()
}
