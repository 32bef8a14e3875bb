package listener

import (
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/exgate/exgate/runtime/gateway"
)

var (
	_ gateway.Peeker = (*streamSocket)(nil)
	_ gateway.Peeker = (*tlsSocket)(nil)
)

// Peek tells what the next read would find.
func (s *streamSocket) Peek() error {
	if len(s.early) > 0 {
		return nil
	}
	var n int
	var peekErr error
	err := s.raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, peekErr = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	switch {
	case err != nil:
		return err
	case peekErr == unix.EAGAIN || peekErr == unix.EINTR:
		return nil
	case peekErr != nil:
		return os.NewSyscallError("recvfrom", peekErr)
	case n == 0:
		return io.EOF
	}
	return nil
}

// Peek tells only of errors: records that have been read but not decrypted may come before the end of the peer.
func (s *tlsSocket) Peek() error {
	if err := s.streamSocket.Peek(); err != io.EOF {
		return err
	}
	return nil
}
