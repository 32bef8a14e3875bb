package sockets

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"syscall"
)

// Control is called with a socket before it is bound, as in [net.ListenConfig], or when an inherited socket is taken.
type Control = func(network, address string, c syscall.RawConn) error

// Sockets opens the listening sockets of a process, or takes inherited ones, and hands them to the process that
// replaces it. A nil *Sockets only opens sockets. It is safe for concurrent use.
type Sockets struct {
	name string
	all  *inventory
}

// inventory is shared by all views of one Sockets.
type inventory struct {
	log *slog.Logger

	mu        sync.Mutex
	inherited []*inheritedSocket // not taken yet; guarded by mu
	open      []openSocket       // guarded by mu
	retained  []retainedSocket   // guarded by mu
}

// openSocket is a socket of this process; it may have been closed.
type openSocket struct {
	SocketFile
	socket syscall.Conn
}

// New creates a set from inherited sockets, if any. If log is nil, slog.Default(). A file that is not a listening
// socket is an error. New takes ownership of the files, even if it fails.
func New(inherited []SocketFile, log *slog.Logger) (*Sockets, error) {
	if log == nil {
		log = slog.Default()
	}
	all := &inventory{log: log}
	var failed error
	for _, file := range inherited {
		socket, err := inherit(file)
		if err != nil {
			failed = err
			continue
		}
		all.inherited = append(all.inherited, socket)
	}
	s := &Sockets{all: all}
	if failed != nil {
		s.CloseUnused()
		return nil, failed
	}
	return s, nil
}

// For returns a view of the set for the user name. A socket with port 0, whose port the system chose, is found again by
// that name.
func (s *Sockets) For(name string) *Sockets {
	if s == nil {
		return nil
	}
	return &Sockets{name: name, all: s.all}
}

// Listen opens a stream socket or takes the inherited one. network is tcp or unix. The result is a *net.TCPListener or
// a *net.UnixListener. Set keepalive on each connection.
func (s *Sockets) Listen(ctx context.Context, network, address string, control Control) (net.Listener, error) {
	if in := s.take(ctx, network, address); in != nil {
		if err := in.control(network, address, control); err != nil {
			_ = in.listener.Close()
			return nil, err
		}
		s.keep(in.as(s.name, network, address), in.listener.(syscall.Conn))
		return in.listener, nil
	}
	lc := net.ListenConfig{Control: control, KeepAlive: -1}
	lc.SetMultipathTCP(false) // see RATIONALE.md, "Why is multipath TCP off?"
	l, err := lc.Listen(ctx, network, address)
	if err == nil {
		s.keep(SocketFile{Network: network, Address: address}, l.(syscall.Conn))
	}
	return l, err
}

// ListenPacket opens a datagram socket or takes the inherited one. network is udp. The result is a *net.UDPConn.
func (s *Sockets) ListenPacket(ctx context.Context, network, address string, control Control) (net.PacketConn, error) {
	if in := s.take(ctx, network, address); in != nil {
		if err := in.control(network, address, control); err != nil {
			_ = in.packets.Close()
			return nil, err
		}
		s.keep(in.as(s.name, network, address), in.packets.(syscall.Conn))
		return in.packets, nil
	}
	lc := net.ListenConfig{Control: control}
	c, err := lc.ListenPacket(ctx, network, address)
	if err == nil {
		s.keep(SocketFile{Network: network, Address: address}, c.(syscall.Conn))
	}
	return c, err
}

// TookOver notes that this process alone owns the inherited sockets, except Foreign ones. Unused ones are closed and
// logged, and from now on closing a unix socket removes its path, which the previous process may have needed until now.
func (s *Sockets) TookOver() {
	if s == nil {
		return
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	for _, o := range s.all.open {
		unlinkOnClose(o.socket, !o.Foreign)
	}
	for _, in := range s.all.inherited {
		s.all.log.Warn("closed an inherited socket that is not in the configuration", "name", in.Name, "network",
			in.Network, "address", in.bound().String())
		unlinkOnClose(in.listener, !in.Foreign)
	}
	s.all.closeInherited()
}

// CloseUnused closes the inherited sockets that were not taken, for a process that does not take over.
func (s *Sockets) CloseUnused() {
	if s == nil {
		return
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	s.all.closeInherited()
}

// closeInherited is called with mu held.
func (i *inventory) closeInherited() {
	for _, in := range i.inherited {
		in.close()
	}
	i.inherited = nil
}

// take removes the inherited socket for address from the set and returns it, or nil.
func (s *Sockets) take(ctx context.Context, network, address string) *inheritedSocket {
	if s == nil {
		return nil
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	for i, in := range s.all.inherited {
		if in.serves(ctx, s.name, network, address) {
			s.all.inherited = append(s.all.inherited[:i:i], s.all.inherited[i+1:]...)
			return in
		}
	}
	return nil
}

// keep adds an open socket and removes closed ones.
func (s *Sockets) keep(file SocketFile, socket syscall.Conn) {
	if s == nil {
		return
	}
	file.Name = s.name
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	still := s.all.open[:0]
	for _, o := range s.all.open {
		if isOpen(o.socket) {
			still = append(still, o)
		}
	}
	s.all.open = append(still, openSocket{SocketFile: file, socket: socket})
}
