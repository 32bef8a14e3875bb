package sockets

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// SocketFile is a listening socket on its way from one process to another.
type SocketFile struct {
	// Name says what listens there, such as listeners.demo. From systemd it is FileDescriptorName.
	Name string `json:"name"`
	// Network is tcp, udp or unix.
	Network string `json:"network"`
	// Address is what was asked for, which may have port 0. If zero, only the socket knows.
	Address string `json:"address"`
	// Foreign is a socket that systemd keeps open too: its path, if it has one, is not ours to remove.
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

// HandOver returns duplicates of the sockets that are open, in the order of opening. The caller closes their files.
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

// HandedOver says that another process has the sockets now: closing them here leaves the paths of unix sockets in
// place.
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

// unlinkOnClose says whether closing socket, if it is a unix socket, removes its path.
func unlinkOnClose(socket any, remove bool) {
	if l, ok := socket.(*net.UnixListener); ok {
		l.SetUnlinkOnClose(remove)
	}
}

// CloseFiles closes the files of sockets that were duplicated.
func CloseFiles(files []SocketFile) {
	for _, f := range files {
		_ = f.File.Close()
	}
}

// duplicate does what the File method of net's sockets does, except that their file, when a process is started with it,
// makes the socket blocking for everyone who has it.
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
