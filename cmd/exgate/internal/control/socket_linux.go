package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// socketName returns a name in Linux's abstract namespace, which needs no file to protect or remove.
func socketName(pid int) string { return fmt.Sprintf("@exgate/%d", pid) }

func listen(pid int) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socketName(pid), Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listening at the control socket: %w", err)
	}
	return l, nil
}

// dial connects to process pid. It fails if another process uses the name.
func dial(ctx context.Context, pid int) (*net.UnixConn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", socketName(pid))
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("process %d is not a running exgate gateway (or it is starting, stopping or "+
			"in a container)", pid)
	}
	if err != nil {
		return nil, fmt.Errorf("reaching process %d: %w", pid, err)
	}
	conn := c.(*net.UnixConn)
	if at, _, err := peer(conn); err != nil || at != pid {
		_ = conn.Close()
		return nil, fmt.Errorf("process %d answers in place of process %d", at, pid)
	}
	return conn, nil
}

// peer returns the process and the user of the peer.
func peer(conn *net.UnixConn) (pid, uid int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err = errors.Join(err, failed); err != nil {
		return 0, 0, err
	}
	return int(cred.Pid), int(cred.Uid), nil
}
