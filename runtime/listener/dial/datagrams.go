package dial

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener/admission"
)

// maxDatagram is the longest payload of a datagram over IPv4; IPv6 would allow 20 bytes more.
const maxDatagram = 65_507

// datagramBuffers hold one datagram each, and only while there is one to read.
var datagramBuffers = sync.Pool{New: func() any { return new([maxDatagram + 21]byte) }}

// datagrams is the connected UDP socket of a target: one Send is one datagram, and so is one OnReceivedBytes. The
// kernel drops datagrams from other addresses.
type datagrams struct {
	conn      *net.UDPConn
	raw       syscall.RawConn
	ticket    admission.Ticket
	info      gateway.ConnInfo
	idle      time.Duration
	metrics   *listenerMetrics
	closeOnce func() error
	tryRead   func(fd uintptr) bool
	done

	// Owned by the reading goroutine.
	buf     *[maxDatagram + 21]byte
	n       int
	readErr error
}

var (
	_ socket                   = (*datagrams)(nil)
	_ gateway.MessageTransport = (*datagrams)(nil)
)

func newDatagrams(c *net.UDPConn, ticket admission.Ticket, d *dialer) (*datagrams, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		ticket.Release()
		return nil, errors.Join(err, c.Close())
	}
	o := d.listener.cfg.Options
	if o.RecvBuffer > 0 {
		_ = c.SetReadBuffer(o.RecvBuffer)
	}
	if o.SendBuffer > 0 {
		_ = c.SetWriteBuffer(o.SendBuffer)
	}
	s := &datagrams{
		conn: c, raw: raw, ticket: ticket, idle: d.listener.cfg.IdleTimeout, metrics: d.listener.metrics,
		done: newDone(),
		info: gateway.ConnInfo{
			SocketType: gateway.SocketUDP, Peer: c.RemoteAddr().(*net.UDPAddr).AddrPort(),
			Local: c.LocalAddr().(*net.UDPAddr).AddrPort(), Properties: d.properties(),
		},
	}
	s.tryRead = s.readOnce
	s.closeOnce = sync.OnceValue(func() error {
		err := s.conn.Close()
		s.ticket.Release()
		s.done.close()
		return err
	})
	return s, nil
}

// Info describes the peer and the target.
func (s *datagrams) Info() gateway.ConnInfo { return s.info }

// Serve reads until the connection ends. Datagrams above a rate are dropped: the kernel would drop others instead.
func (s *datagrams) Serve(c *gateway.Conn) {
	for c.WaitReadable() == nil {
		err := s.read()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if !c.KeepaliveStarted() {
				c.Close(gateway.ReasonIdleTimeout)
			}
			continue
		case err != nil:
			c.ReadEnded(err)
			return
		case c.OverRate():
			s.metrics.lost[lostOverRate].Inc()
		default:
			_ = c.Receive(s.buf[:s.n])
		}
		s.giveBack()
	}
	c.ReadEnded(net.ErrClosed)
}

// read waits for a datagram, at most the idle timeout.
func (s *datagrams) read() error {
	if err := s.conn.SetReadDeadline(time.Now().Add(s.idle)); err != nil {
		return err
	}
	if err := s.raw.Read(s.tryRead); err != nil {
		return err
	}
	if s.readErr != nil {
		s.giveBack()
		return os.NewSyscallError("read", s.readErr)
	}
	return nil
}

func (s *datagrams) readOnce(fd uintptr) bool {
	s.buf = datagramBuffers.Get().(*[maxDatagram + 21]byte)
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

func (s *datagrams) giveBack() {
	if s.buf != nil {
		datagramBuffers.Put(s.buf)
		s.buf = nil
	}
}

// CheckSend refuses and counts a message that does not fit into a datagram.
func (s *datagrams) CheckSend(n int) gateway.Result {
	if n <= maxDatagram {
		return gateway.OK
	}
	s.metrics.lost[lostTooLong].Inc()
	return gateway.Refuse(gateway.CodeParamsTypeError, "%d bytes do not fit into a datagram: at most %d", n,
		maxDatagram)
}

// TryWrite sends b as one datagram. It drops and counts b if the socket does not accept it.
func (s *datagrams) TryWrite(b []byte) (int, error) {
	var sent error
	err := s.raw.Control(func(fd uintptr) {
		for {
			if _, sent = unix.Write(int(fd), b); sent != unix.EINTR {
				return
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case sent == unix.EAGAIN, sent == unix.ENOBUFS, sent == unix.EPERM:
		s.metrics.lost[lostNotSent].Inc()
	case sent == unix.EMSGSIZE:
		s.metrics.lost[lostTooLong].Inc()
	case sent != nil:
		return 0, os.NewSyscallError("write", sent)
	}
	return len(b), nil
}

// Write is TryWrite.
func (s *datagrams) Write(b []byte) (int, error) { return s.TryWrite(b) }

// SetWriteDeadline does nothing: a write never waits.
func (s *datagrams) SetWriteDeadline(time.Time) error { return nil }

// CloseWrite is Close: UDP cannot signal the end of a stream.
func (s *datagrams) CloseWrite(time.Duration) error { return s.Close() }

// Close closes the socket.
func (s *datagrams) Close() error { return s.closeOnce() }

// Abort is Close.
func (s *datagrams) Abort() error { return s.Close() }
