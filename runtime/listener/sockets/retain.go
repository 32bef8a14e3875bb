package sockets

import (
	"fmt"
	"slices"
)

// retainedSocket is an open socket whose duplicate was given to the inherited ones.
type retainedSocket struct {
	openSocket
	duplicate *inheritedSocket
}

// Retain keeps the sockets of the user name open beyond their close: as if inherited, a duplicate goes to whom listens
// next at the same address, with the connections that wait in its queue. Settle or Undo ends it. A nil *Sockets retains
// nothing.
func (s *Sockets) Retain(name string) error {
	if s == nil {
		return nil
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	for _, o := range s.all.open {
		if o.Name != name || !isOpen(o.socket) {
			continue
		}
		file, err := duplicate(o.socket, o.Address)
		if err != nil {
			return fmt.Errorf("duplicating the socket of %s at %s: %w", o.Name, o.Address, err)
		}
		as := o.SocketFile
		as.File = file
		in, err := inherit(as)
		if err != nil {
			return err
		}
		unlinkOnClose(o.socket, false)
		s.all.inherited = append(s.all.inherited, in)
		s.all.retained = append(s.all.retained, retainedSocket{o, in})
	}
	return nil
}

// Settle ends what Retain began: duplicates that nobody took are closed, and the path of a unix socket is removed by
// the socket that has it now. Call it before the previous users close.
func (s *Sockets) Settle() { s.endRetaining(true) }

// Undo ends what Retain began where the previous users stay. Close what took the duplicates before.
func (s *Sockets) Undo() { s.endRetaining(false) }

func (s *Sockets) endRetaining(moved bool) {
	if s == nil {
		return
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	for _, r := range s.all.retained {
		if moved && !slices.Contains(s.all.inherited, r.duplicate) {
			unlinkOnClose(r.duplicate.listener, !r.Foreign)
		} else {
			unlinkOnClose(r.socket, !r.Foreign)
		}
	}
	s.all.retained = nil
	s.all.closeInherited()
}
