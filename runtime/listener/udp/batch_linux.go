//nolint:gosec // G103: the kernel reads and writes these structures
package udp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchSize is the maximum number of datagrams read by one system call.
const batchSize = 64

// mmsghdr is the kernel's struct mmsghdr.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// batch reads a UDP socket with recvmmsg into reusable buffers: a datagram costs no allocation.
type batch struct {
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

// openBatch takes ownership of c. Datagrams above size bytes are truncated.
func openBatch(c *net.UDPConn, size int) (datagrams, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	u := &batch{
		conn: c, raw: raw, bound: unmappedSource(c.LocalAddr().(*net.UDPAddr).AddrPort()), size: size,
		buf: make([]byte, batchSize*size),
	}
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

func (u *batch) addr() netip.AddrPort { return u.bound }

func (u *batch) read() (int, error) {
	if err := u.raw.Read(u.tryRead); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = net.ErrClosed
		}
		return 0, err
	}
	return u.n, os.NewSyscallError("recvmmsg", u.readErr)
}

func (u *batch) readOnce(fd uintptr) bool {
	for i := range u.headers {
		h := &u.headers[i].hdr
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(len(u.controls[i]) * 8)
		h.Flags = 0
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&u.headers[0])), batchSize,
			unix.MSG_DONTWAIT, 0, 0)
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

func (u *batch) at(i int) arrival {
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

// networkPort converts a port between host and network byte order.
func networkPort(p uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&p))
	return uint16(b[0])<<8 | uint16(b[1])
}

func (u *batch) stop() { _ = u.conn.SetReadDeadline(time.Unix(1, 0)) }

func (u *batch) close() error { return u.conn.Close() }

// outgoing holds the arguments of one sendmsg; it is pooled.
type outgoing struct {
	header  unix.Msghdr
	iovec   unix.Iovec
	v4      unix.RawSockaddrInet4
	v6      unix.RawSockaddrInet6
	control controlBuffer
	send    func(fd uintptr)
	err     error
}

var outgoingPool = sync.Pool{New: func() any {
	o := new(outgoing)
	o.send = o.sendOnce
	return o
}}

// write takes no lock shared with another writer or the reader.
func (u *batch) write(b []byte, to netip.AddrPort, from netip.Addr) error {
	o := outgoingPool.Get().(*outgoing)
	defer outgoingPool.Put(o)
	o.header, o.iovec, o.err = unix.Msghdr{Iov: &o.iovec}, unix.Iovec{}, nil
	o.header.SetIovlen(1)
	if len(b) > 0 {
		o.iovec.Base = &b[0]
		o.iovec.SetLen(len(b))
	}
	o.address(to, u.v6)
	if from.IsValid() {
		o.header.Control = o.control.base()
		o.header.SetControllen(o.control.setSource(from, u.v6))
	}
	err := u.raw.Control(o.send)
	o.iovec.Base = nil
	runtime.KeepAlive(b)
	if err != nil {
		return err
	}
	return o.err
}

func (o *outgoing) address(to netip.AddrPort, v6 bool) {
	if v6 {
		o.v6 = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: networkPort(to.Port()), Addr: to.Addr().As16()}
		if zone, err := strconv.Atoi(to.Addr().Zone()); err == nil {
			o.v6.Scope_id = uint32(zone)
		}
		o.header.Name, o.header.Namelen = (*byte)(unsafe.Pointer(&o.v6)), unix.SizeofSockaddrInet6
		return
	}
	o.v4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: networkPort(to.Port()), Addr: to.Addr().As4()}
	o.header.Name, o.header.Namelen = (*byte)(unsafe.Pointer(&o.v4)), unix.SizeofSockaddrInet4
}

func (o *outgoing) sendOnce(fd uintptr) {
	for {
		_, _, errno := unix.Syscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&o.header)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			o.err = errno
		}
		return
	}
}
