//nolint:gosec // G103: the kernel reads and writes these structures
package udp

import (
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// controlBuffer holds one IP_PKTINFO or IPV6_PKTINFO message, aligned as the kernel wants it.
type controlBuffer [5]uint64

func (c *controlBuffer) base() *byte { return (*byte)(unsafe.Pointer(c)) }

// isIPv6 reports the address family of a socket.
func isIPv6(raw syscall.RawConn) (v6 bool, err error) {
	var family int
	if cerr := raw.Control(func(fd uintptr) {
		family,
			err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
	}); cerr != nil {
		return false, cerr
	}
	return family == unix.AF_INET6, err
}

// receiveLocalAddress asks the kernel for the destination address of each datagram.
func receiveLocalAddress(raw syscall.RawConn, v6 bool) error {
	level, option := unix.IPPROTO_IP, unix.IP_PKTINFO
	if v6 {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO
	}
	var err error
	if cerr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, option, 1) }); cerr != nil {
		return cerr
	}
	return err
}

// localAddress returns the address to reply from, read from the n bytes that the kernel wrote, or zero.
func (c *controlBuffer) localAddress(n int) netip.Addr {
	if n < unix.SizeofCmsghdr {
		return netip.Addr{}
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(c))
	data := unsafe.Add(unsafe.Pointer(c), unix.CmsgLen(0))
	switch {
	case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && n >= unix.CmsgLen(unix.SizeofInet4Pktinfo):
		return netip.AddrFrom4((*unix.Inet4Pktinfo)(data).Spec_dst) // for a broadcast, the address of the interface
	case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && n >= unix.CmsgLen(unix.SizeofInet6Pktinfo):
		if ip := netip.AddrFrom16((*unix.Inet6Pktinfo)(data).Addr).Unmap(); !ip.IsMulticast() {
			return ip
		}
	}
	return netip.Addr{}
}

// setSource asks the kernel to send from an address, and returns the size of the control message.
func (c *controlBuffer) setSource(from netip.Addr, v6 bool) int {
	*c = controlBuffer{}
	h := (*unix.Cmsghdr)(unsafe.Pointer(c))
	data := unsafe.Add(unsafe.Pointer(c), unix.CmsgLen(0))
	if v6 {
		h.Level, h.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
		h.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
		(*unix.Inet6Pktinfo)(data).Addr = from.As16()
		return unix.CmsgSpace(unix.SizeofInet6Pktinfo)
	}
	h.Level, h.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
	h.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
	(*unix.Inet4Pktinfo)(data).Spec_dst = from.As4()
	return unix.CmsgSpace(unix.SizeofInet4Pktinfo)
}

// memInfo is the result of SO_MEMINFO; its last field counts datagrams dropped because the buffer was full.
type memInfo [9]uint32

func (u *batch) overflowed() uint32 {
	var info memInfo
	size := uint32(unsafe.Sizeof(info))
	errno := unix.ENOTSUP
	err := u.raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	if err == nil && errno == 0 {
		u.overflows = info[len(info)-1]
	}
	return u.overflows
}
