//go:build !linux

package control

import (
	"context"
	"errors"
	"fmt"
	"net"
)

func listen(int) (*net.UnixListener, error) { return nil, nil }

func dial(_ context.Context, pid int) (*net.UnixConn, error) {
	return nil, fmt.Errorf("reaching process %d: %w on this system, only on Linux", pid, errors.ErrUnsupported)
}

func peer(*net.UnixConn) (pid, uid int, err error) { return 0, 0, errors.ErrUnsupported }
