//nolint:gosec // G103: the kernel reads and writes these structures
package udp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchSize is how many datagrams one system call takes at most.
const batchSize = 64

// mmsghdr is the kernel's struct mmsghdr.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// udpBatch reads a UDP socket with recvmmsg into buffers that it keeps: a datagram costs no allocation.
type udpBatch struct {
	conn  *net.UDPConn
	raw   syscall.RawConn
	bound netip.AddrPort
	v6    bool // the socket's family

	overflows uint32 // owned by the sweep

	// Owned by the reading goroutine.
	size     int
	buf      []byte
	headers  [batchSize]mmsghdr
	iovecs   [batchSize]unix.Iovec
	sources  [batchSize]unix.RawSockaddrInet6 // large enough for IPv4 too
	controls [batchSize]controlBuffer
	tryRead  func(fd uintptr) bool
	n        int
	readErr  error
}

// openBatch takes c over. Datagrams above size bytes come truncated.
func openBatch(c *net.UDPConn, size int) (datagrams, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	u := &udpBatch{conn: c, raw: raw, bound: unmappedSource(c.LocalAddr().(*net.UDPAddr).AddrPort()), size: size, buf: make([]byte, batchSize*size)}
	if u.v6, err = isIPv6(raw); err != nil {
		return nil, err
	}
	if u.bound.Addr().IsUnspecified() {
		if err := receiveLocalAddress(raw, u.v6); err != nil {
			return nil, err
		}
	}
	for i := range u.headers {
		h := &u.headers[i].hdr
		u.iovecs[i].Base = &u.buf[i*size]
		u.iovecs[i].SetLen(size)
		h.Iov = &u.iovecs[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&u.sources[i]))
		h.Control = u.controls[i].base()
	}
	u.tryRead = u.readOnce
	return u, nil
}

func (u *udpBatch) addr() netip.AddrPort { return u.bound }

func (u *udpBatch) read() (int, error) {
	if err := u.raw.Read(u.tryRead); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = net.ErrClosed
		}
		return 0, err
	}
	return u.n, os.NewSyscallError("recvmmsg", u.readErr)
}

func (u *udpBatch) readOnce(fd uintptr) bool {
	for i := range u.headers {
		h := &u.headers[i].hdr
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(len(u.controls[i]) * 8)
		h.Flags = 0
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&u.headers[0])), batchSize, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			u.n, u.readErr = int(n), nil
			return true
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			u.n, u.readErr = 0, errno
			return true
		}
	}
}

func (u *udpBatch) at(i int) arrival {
	h := &u.headers[i]
	start := i * u.size
	return arrival{
		b: u.buf[start : start+int(h.n)], source: sourceAddress(&u.sources[i]),
		local: u.controls[i].localAddress(int(h.hdr.Controllen)), truncated: h.hdr.Flags&unix.MSG_TRUNC != 0,
	}
}

// sourceAddress reads a sockaddr that the kernel wrote.
func sourceAddress(sa *unix.RawSockaddrInet6) netip.AddrPort {
	port := networkPort(sa.Port)
	if sa.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), port)
	}
	ip := netip.AddrFrom16(sa.Addr).Unmap()
	if sa.Scope_id != 0 && ip.IsLinkLocalUnicast() {
		ip = ip.WithZone(strconv.Itoa(int(sa.Scope_id)))
	}
	return netip.AddrPortFrom(ip, port)
}

// networkPort turns a port between the machine's order and the network's.
func networkPort(p uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&p))
	return uint16(b[0])<<8 | uint16(b[1])
}

func (u *udpBatch) stop() { _ = u.conn.SetReadDeadline(time.Unix(1, 0)) }

func (u *udpBatch) close() error { return u.conn.Close() }
