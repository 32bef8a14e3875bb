package sockets

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// SocketFile is a listening socket passed from one process to another.
type SocketFile struct {
	// Name identifies the user of the socket, such as listeners.demo. From systemd it is FileDescriptorName.
	Name string `json:"name"`
	// Network is tcp, udp or unix.
	Network string `json:"network"`
	// Address is the requested address, which may have port 0. If zero, it is unknown.
	Address string `json:"address"`
	// Foreign marks a socket that systemd also keeps open: do not remove its path.
	Foreign bool `json:"foreign,omitempty"`
	// File is the descriptor.
	File *os.File `json:"-"`
}

func (f SocketFile) describe() string {
	if f.Address == "" {
		return fmt.Sprintf("%q (descriptor %s)", f.Name, f.File.Name())
	}
	return fmt.Sprintf("%q (%s %s)", f.Name, f.Network, f.Address)
}

// HandOver returns duplicates of the open sockets, in the order they were opened. The caller closes their files.
func (s *Sockets) HandOver() ([]SocketFile, error) {
	if s == nil {
		return nil, nil
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	var files []SocketFile
	for _, o := range s.all.open {
		file, err := duplicate(o.socket, o.Address)
		if errors.Is(err, net.ErrClosed) {
			continue
		}
		if err != nil {
			CloseFiles(files)
			return nil, fmt.Errorf("duplicating the socket of %s at %s: %w", o.Name, o.Address, err)
		}
		o.File = file
		files = append(files, o.SocketFile)
	}
	return files, nil
}

// HandedOver notes that another process owns the sockets now: closing them here keeps the paths of unix sockets.
func (s *Sockets) HandedOver() {
	if s == nil {
		return
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	for _, o := range s.all.open {
		unlinkOnClose(o.socket, false)
	}
}

// unlinkOnClose sets whether closing socket, if it is a unix socket, removes its path.
func unlinkOnClose(socket any, remove bool) {
	if l, ok := socket.(*net.UnixListener); ok {
		l.SetUnlinkOnClose(remove)
	}
}

// CloseFiles closes the files returned by HandOver.
func CloseFiles(files []SocketFile) {
	for _, f := range files {
		_ = f.File.Close()
	}
}

// duplicate is like the File method of net's sockets. Passing the file of that method to a child process would make the
// shared socket blocking.
func duplicate(socket syscall.Conn, name string) (*os.File, error) {
	var file *os.File
	err := withRawConn(socket, func(c rawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			var dup int
			if dup, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); failed == nil {
				file = os.NewFile(uintptr(dup), name)
			}
		})
		return errors.Join(err, os.NewSyscallError("fcntl", failed))
	})
	return file, err
}

type rawConn = syscall.RawConn

func withRawConn(socket any, do func(rawConn) error) error {
	c, err := socket.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	return do(c)
}

func isOpen(socket syscall.Conn) bool {
	return withRawConn(socket, func(c rawConn) error { return c.Control(func(uintptr) {}) }) == nil
}
