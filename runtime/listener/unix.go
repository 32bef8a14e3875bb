package listener

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/exgate/exgate/runtime/listener/sockets"
)

// unixPrefix begins the bind of a socket in the file system.
const unixPrefix = "unix:"

// unixMode is the file mode of sockets: the user and group of the process may connect.
const unixMode fs.FileMode = 0o660

// splitBind splits unix:/path from host:port.
func splitBind(bind string) (network, address string) {
	if path, ok := strings.CutPrefix(bind, unixPrefix); ok {
		return "unix", path
	}
	return "tcp", bind
}

// listenUnix listens on a path. It removes a stale socket left by an earlier process; any other file there is an error.
func listenUnix(ctx context.Context, sockets *sockets.Sockets, path string) (net.Listener, error) {
	fresh := false
	listen := func() (net.Listener, error) { return sockets.Listen(ctx, "unix", path, unixControl(&fresh)) }
	l, err := listen()
	if errors.Is(err, unix.EADDRINUSE) && removeStale(ctx, path) {
		l, err = listen()
	}
	if err != nil || !fresh || strings.HasPrefix(path, "@") {
		return l, err
	}
	if err := os.Chmod(path, unixMode); err != nil { // the umask may have cleared bits
		return nil, errors.Join(fmt.Errorf("setting the mode of the unix socket: %w", err), l.Close())
	}
	return l, nil
}

// unixControl sets the mode before the file appears, so that it is never too permissive; on systems that cannot, the
// chmod afterwards does it. An inherited socket already has its file and mode.
func unixControl(fresh *bool) sockets.Control {
	return func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			name, err := unix.Getsockname(int(fd))
			bound, ok := name.(*unix.SockaddrUnix)
			// an unnamed socket reads as @
			if *fresh = err != nil || !ok || bound.Name == "" || bound.Name == "@"; *fresh {
				_ = unix.Fchmod(int(fd), uint32(unixMode.Perm()))
			}
		})
	}
}

// removeStale removes a socket that no process listens on, and reports whether it did.
func removeStale(ctx context.Context, path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return false
	}
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		_ = c.Close()
		return false
	}
	return errors.Is(err, unix.ECONNREFUSED) && os.Remove(path) == nil
}
