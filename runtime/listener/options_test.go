package listener

import (
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/exgate/exgate/runtime/gateway"
)

// acceptedOptions accepts one connection and returns its socket options as the kernel has them.
func acceptedOptions(t *testing.T, options SocketOptions) func(level, name int) int {
	t.Helper()
	l, err := ListenTCP(t.Context(), TCPConfig{Bind: "127.0.0.1:0", Options: options})
	if err != nil {
		t.Fatal(err)
	}
	sockets, served, looked := make(chan *streamSocket, 1), make(chan error, 1), make(chan struct{})
	go func() {
		served <- l.Serve(func(s gateway.Transport) (*gateway.Conn, error) {
			sockets <- s.(*streamSocket)
			<-looked
			return nil, net.ErrClosed
		})
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	socket := <-sockets
	t.Cleanup(func() {
		close(looked)
		_, _ = c.Close(), l.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return func(level, name int) (value int) { return getOption(t, socket.raw, level, name) }
}

func getOption(t *testing.T, raw syscall.RawConn, level, name int) (value int) {
	t.Helper()
	if err := raw.Control(func(fd uintptr) { value, _ = unix.GetsockoptInt(int(fd), level, name) }); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestSocketOptions(t *testing.T) {
	off := false
	plain := acceptedOptions(t, SocketOptions{})
	if plain(unix.IPPROTO_TCP, unix.TCP_NODELAY) == 0 || plain(unix.SOL_SOCKET, unix.SO_KEEPALIVE) == 0 {
		t.Error("nodelay and keepalive are on unless said otherwise")
	}
	set := acceptedOptions(t, SocketOptions{
		RecvBuffer: 20000, SendBuffer: 30000, NoDelay: &off, KeepAlive: -time.Second, ReusePort: true, Backlog: 5,
	})
	if n := set(unix.SOL_SOCKET, unix.SO_RCVBUF); n < 20000 || n > 40000 { // the kernel doubles what it is told
		t.Errorf("receive buffer of %d", n)
	}
	if n := set(unix.SOL_SOCKET, unix.SO_SNDBUF); n < 30000 || n > 60000 {
		t.Errorf("send buffer of %d", n)
	}
	if set(unix.IPPROTO_TCP, unix.TCP_NODELAY) != 0 || set(unix.SOL_SOCKET, unix.SO_KEEPALIVE) != 0 {
		t.Error("nodelay and keepalive are on")
	}
}

// Two listeners may share an address if both ask for it.
func TestReusePort(t *testing.T) {
	options := SocketOptions{ReusePort: true}
	first, err := ListenTCP(t.Context(), TCPConfig{Bind: "127.0.0.1:0", Options: options})
	if err != nil {
		t.Fatal(err)
	}
	second, err := ListenTCP(t.Context(), TCPConfig{Bind: first.Addr().String(), Options: options})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = first.Close(), second.Close()
}
