package sockets_test

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/exgate/exgate/runtime/listener/sockets"
)

// newSockets creates a set with the inherited sockets.
func newSockets(t *testing.T, inherited []sockets.SocketFile) *sockets.Sockets {
	t.Helper()
	s, err := sockets.New(inherited, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.CloseUnused)
	return s
}

func handOver(t *testing.T, s *sockets.Sockets) []sockets.SocketFile {
	t.Helper()
	files, err := s.HandOver()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func listen(t *testing.T, s *sockets.Sockets, network, address string) net.Listener {
	t.Helper()
	l, err := s.Listen(t.Context(), network, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func listenPacket(t *testing.T, s *sockets.Sockets, address string) net.PacketConn {
	t.Helper()
	c, err := s.ListenPacket(t.Context(), "udp", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// A connection made before the first owner goes is accepted by the second.
func TestHandedOverStreamSocketKeepsItsQueue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "exgate.sock")
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": path} {
		t.Run(network, func(t *testing.T) {
			first := newSockets(t, nil)
			l := listen(t, first, network, address)
			client, err := net.Dial(network, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			second := newSockets(t, handOver(t, first))
			first.HandedOver()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}

			again := listen(t, second, network, address)
			second.TookOver()
			if again.Addr().String() != l.Addr().String() {
				t.Fatalf("listens at %s, was %s", again.Addr(), l.Addr())
			}
			server, err := again.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			_, _ = io.WriteString(client, "hello")
			b := make([]byte, 5)
			if _, err := io.ReadFull(server, b); err != nil || string(b) != "hello" {
				t.Errorf("got %q, %v", b, err)
			}
		})
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the last owner left its path: %v", err)
	}
}

func TestHandedOverDatagramSocketKeepsItsQueue(t *testing.T) {
	first := newSockets(t, nil)
	c := listenPacket(t, first, "127.0.0.1:0")
	client, err := net.Dial("udp", c.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, _ = io.WriteString(client, "hello")
	second := newSockets(t, handOver(t, first))
	_ = c.Close()
	b := make([]byte, 9)
	n, _, err := listenPacket(t, second, "127.0.0.1:0").ReadFrom(b)
	if err != nil || string(b[:n]) != "hello" {
		t.Errorf("got %q, %v", b[:n], err)
	}
}

func TestClosedSocketsAreNotHandedOver(t *testing.T) {
	s := newSockets(t, nil)
	_ = listen(t, s, "tcp", "127.0.0.1:0").Close()
	listen(t, s.For("open"), "tcp", "127.0.0.1:0")
	files := handOver(t, s)
	defer sockets.CloseFiles(files)
	if len(files) != 1 || files[0].Name != "open" {
		t.Errorf("handed over %+v", files)
	}
}

// Where systemd has the socket too, its path stays.
func TestForeignPathStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "exgate.sock")
	first := newSockets(t, nil)
	systemds := listen(t, first, "unix", path)
	files := handOver(t, first)
	files[0].Foreign, files[0].Address = true, ""
	second := newSockets(t, files)
	l := listen(t, second, "unix", path)
	second.TookOver()
	_ = l.Close()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	third := newSockets(t, nil)
	if _, err := third.Listen(t.Context(), "unix", path, nil); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a path in use was opened: %v", err)
	}
	_ = systemds.Close()
}

// A process that inherited a path and fails before it took over does not remove the path.
func TestPathStaysWhereTheSuccessorFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "exgate.sock")
	first := newSockets(t, nil)
	listen(t, first, "unix", path)
	_ = listen(t, newSockets(t, handOver(t, first)), "unix", path).Close()
	newSockets(t, handOver(t, first)).CloseUnused()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	newSockets(t, handOver(t, first)).TookOver()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a path that the successor does not want is left: %v", err)
	}
}

// A nil set opens plainly and hands nothing over.
func TestNilSockets(t *testing.T) {
	var s *sockets.Sockets
	listen(t, s.For("a"), "tcp", "127.0.0.1:0")
	listenPacket(t, s, "127.0.0.1:0")
	if files := handOver(t, s); files != nil {
		t.Errorf("handed over %v", files)
	}
	s.HandedOver()
	s.TookOver()
	s.CloseUnused()
}
