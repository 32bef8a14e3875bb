package sockets_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/exgate/exgate/runtime/listener/sockets"
)

// A retained socket never stops listening, and a connection that waited for the previous user is accepted by the next.
func TestRetain(t *testing.T) {
	for name, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		t.Run(name, func(t *testing.T) {
			s := newSockets(t, nil)
			before := listen(t, s.For("l"), name, address)
			waiting, err := net.Dial(name, before.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer waiting.Close()
			retain(t, s, "l")
			after, err := s.For("l").Listen(t.Context(), name, address, nil)
			if err != nil {
				t.Fatal(err)
			}
			s.Settle()
			if err := before.Close(); err != nil {
				t.Fatal(err)
			}
			if before.Addr().String() != after.Addr().String() {
				t.Errorf("moved from %v to %v", before.Addr(), after.Addr())
			}
			conn, err := after.Accept()
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
			if err := after.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(address); name == "unix" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the path is left: %v", err)
			}
			if _, err := net.Dial(name, before.Addr().String()); err == nil {
				t.Error("a duplicate still listens")
			}
		})
	}
}

// Undone, or with nobody who takes it, the socket stays its user's.
func TestRetainUndone(t *testing.T) {
	for _, taken := range []bool{false, true} {
		for _, end := range []func(*sockets.Sockets){(*sockets.Sockets).Settle, (*sockets.Sockets).Undo} {
			address := filepath.Join(t.TempDir(), "s")
			s := newSockets(t, nil)
			first := listen(t, s.For("l"), "unix", address)
			retain(t, s, "l")
			if taken {
				again, err := s.For("other").Listen(t.Context(), "unix", address, nil)
				if err != nil {
					t.Fatal(err)
				}
				_ = again.Close()
				s.Undo()
			} else {
				end(s)
			}
			conn, err := net.Dial("unix", address)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(address); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the path is left: %v", err)
			}
		}
	}
}

func retain(t *testing.T, s *sockets.Sockets, name string) {
	t.Helper()
	if err := s.Retain(name); err != nil {
		t.Fatal(err)
	}
}
