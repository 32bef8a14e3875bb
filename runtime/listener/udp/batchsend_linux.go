//nolint:gosec // G103: the kernel reads and writes these structures
package udp

import (
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// outgoing is what one sendmsg needs; it is kept for the next.
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

// write takes no lock that another writer or the reader holds.
func (u *udpBatch) write(b []byte, to netip.AddrPort, from netip.Addr) error {
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
		_, _, errno := unix.Syscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&o.header)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			o.err = errno
		}
		return
	}
}
