//go:build !linux

package upgrade

import (
	"context"
	"errors"
	"fmt"
	"net"
)

func listenControl(int) (*net.UnixListener, error) { return nil, nil }

func dialControl(_ context.Context, pid int) (*net.UnixConn, error) {
	return nil, fmt.Errorf("exgate upgrade needs Linux: here, run kill -USR2 %d and read the log of that process", pid)
}

func peer(*net.UnixConn) (pid, uid int, err error) { return 0, 0, errors.ErrUnsupported }
