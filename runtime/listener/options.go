package listener

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SocketOptions configures a listening socket and the connections it accepts.
type SocketOptions struct {
	// Backlog is how many connections the kernel completes before they are accepted; the kernel caps it
	// (net.core.somaxconn). If zero, that cap.
	Backlog int
	// RecvBuffer is the kernel's receive buffer of a connection in bytes. If zero, the kernel sizes it.
	RecvBuffer int
	// SendBuffer is the kernel's send buffer of a connection in bytes. If zero, the kernel sizes it.
	SendBuffer int
	// NoDelay sends small writes at once (TCP_NODELAY). If zero, true.
	NoDelay *bool
	// KeepAlive is the interval of TCP keepalive probes. If zero, 60 s; negative turns them off.
	KeepAlive time.Duration
	// ReusePort lets several processes listen on one address (SO_REUSEPORT); the kernel spreads connections among them.
	// If zero, false.
	ReusePort bool
}

func (o SocketOptions) withDefaults() SocketOptions {
	if o.KeepAlive == 0 {
		o.KeepAlive = time.Minute
	}
	return o
}

// control sets options that must be set before the socket is bound: the window scale depends on the listening socket's
// receive buffer.
func (o SocketOptions) control(network, _ string, raw syscall.RawConn) error {
	if strings.HasPrefix(network, "unix") {
		return nil
	}
	var set []error
	err := raw.Control(func(fd uintptr) {
		if o.ReusePort {
			set = append(set, setOption(fd, "SO_REUSEPORT", unix.SO_REUSEPORT, 1))
		}
		if o.RecvBuffer > 0 {
			set = append(set, setOption(fd, "SO_RCVBUF", unix.SO_RCVBUF, o.RecvBuffer))
		}
		if o.SendBuffer > 0 {
			set = append(set, setOption(fd, "SO_SNDBUF", unix.SO_SNDBUF, o.SendBuffer))
		}
	})
	return errors.Join(append(set, err)...)
}

func setOption(fd uintptr, name string, option, value int) error {
	if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, option, value); err != nil {
		return fmt.Errorf("setting %s to %d: %w", name, value, err)
	}
	return nil
}

// listening sets the options of a socket that already listens.
func (o SocketOptions) listening(l net.Listener) error {
	c, ok := l.(syscall.Conn)
	if !ok || o.Backlog <= 0 {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var again error
	err = raw.Control(func(fd uintptr) { again = os.NewSyscallError("listen", unix.Listen(int(fd), o.Backlog)) })
	return errors.Join(err, again)
}

// accepted sets the options of a connection. Errors are ignored: the option then keeps its default.
func (o SocketOptions) accepted(c net.Conn) {
	if b, ok := c.(interface {
		SetReadBuffer(bytes int) error
		SetWriteBuffer(bytes int) error
	}); ok {
		if o.RecvBuffer > 0 {
			_ = b.SetReadBuffer(o.RecvBuffer)
		}
		if o.SendBuffer > 0 {
			_ = b.SetWriteBuffer(o.SendBuffer)
		}
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	if o.NoDelay != nil && !*o.NoDelay { // net sets it on each connection
		_ = tcp.SetNoDelay(false)
	}
	_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: o.KeepAlive > 0, Idle: o.KeepAlive, Interval: o.KeepAlive})
}
