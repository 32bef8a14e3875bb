//go:build !linux

package udp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"time"
)

// batch reads one datagram at a time, on systems without recvmmsg. A socket bound to all addresses replies from the
// address that the kernel picks.
type batch struct {
	conn  *net.UDPConn
	bound netip.AddrPort

	// Owned by the reading goroutine.
	buf    []byte
	n      int
	source netip.AddrPort
}

// openBatch takes ownership of c. Datagrams above size bytes are truncated.
func openBatch(c *net.UDPConn, size int) (datagrams, error) {
	// one byte more distinguishes a datagram that is too long from one that fits exactly
	return &batch{conn: c, bound: unmappedSource(c.LocalAddr().(*net.UDPAddr).AddrPort()), buf: make([]byte, size+1)},
		nil
}

func (u *batch) addr() netip.AddrPort { return u.bound }

func (u *batch) read() (int, error) {
	n, source, err := u.conn.ReadFromUDPAddrPort(u.buf)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = net.ErrClosed
	}
	if err != nil {
		return 0, err
	}
	u.n, u.source = n, unmappedSource(source)
	return 1, nil
}

func (u *batch) at(int) arrival {
	size := len(u.buf) - 1
	return arrival{b: u.buf[:min(u.n, size)], source: u.source, truncated: u.n > size}
}

func (u *batch) write(b []byte, to netip.AddrPort, _ netip.Addr) error {
	_, err := u.conn.WriteToUDPAddrPort(b, to)
	return err
}

// overflowed is unknown on this system.
func (u *batch) overflowed() uint32 { return 0 }

func (u *batch) stop() { _ = u.conn.SetReadDeadline(time.Unix(1, 0)) }

func (u *batch) close() error { return u.conn.Close() }
