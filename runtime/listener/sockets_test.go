package listener_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/exgate/exgate/runtime/listener"
)

// newSockets makes a set of what was inherited.
func newSockets(t *testing.T, inherited []listener.SocketFile) *listener.Sockets {
	t.Helper()
	s, err := listener.NewSockets(inherited, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.CloseUnused)
	return s
}

func handOver(t *testing.T, s *listener.Sockets) []listener.SocketFile {
	t.Helper()
	files, err := s.HandOver()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func listen(t *testing.T, s *listener.Sockets, network, address string) net.Listener {
	t.Helper()
	l, err := s.Listen(t.Context(), network, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func listenPacket(t *testing.T, s *listener.Sockets, address string) net.PacketConn {
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

// leftOver makes a set of what s has open, lets ask take from it, and returns what is logged of the rest.
func leftOver(t *testing.T, s *listener.Sockets, ask func(*listener.Sockets)) string {
	t.Helper()
	var log bytes.Buffer
	next, err := listener.NewSockets(handOver(t, s), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ask(next)
	next.TookOver()
	return log.String()
}

func TestFoundByAddress(t *testing.T) {
	for _, c := range []struct {
		opened, asked string
		found         bool
	}{
		{"127.0.0.1:", "127.0.0.1:", true},
		{"127.0.0.1:", "localhost:", true},
		{"127.0.0.1:", "[::ffff:127.0.0.1]:", true},
		{"127.0.0.1:", "127.0.0.2:", false},
		{":", "0.0.0.0:", true},
		{":", "[::]:", true},
		{":", "127.0.0.2:", false},
		{"127.0.0.2:", ":", false},
	} {
		first := newSockets(t, nil)
		opened := listen(t, first.For("before"), "tcp", c.opened+"0")
		port := strconv.Itoa(opened.Addr().(*net.TCPAddr).Port)
		log := leftOver(t, first, func(next *listener.Sockets) {
			if l, err := next.For("after").Listen(t.Context(), "tcp", c.asked+port, nil); err == nil {
				_ = l.Close()
			}
		})
		if found := log == ""; found != c.found {
			t.Errorf("opened at %s, asked for %s: found %v", c.opened, c.asked, found)
		}
	}
}

// Of two sockets at port 0 each goes to the user of its name.
func TestFoundByNameWhereTheSystemChoseThePort(t *testing.T) {
	first := newSockets(t, nil)
	a, b := listen(t, first.For("a"), "tcp", "127.0.0.1:0"), listen(t, first.For("b"), "tcp", "127.0.0.1:0")
	log := leftOver(t, first, func(next *listener.Sockets) {
		if again := listen(t, next.For("b"), "tcp", "127.0.0.1:0"); again.Addr().String() != b.Addr().String() {
			t.Errorf("b listens at %s, was %s", again.Addr(), b.Addr())
		}
		if other := listen(t, next.For("c"), "tcp", "127.0.0.1:0"); other.Addr().String() == a.Addr().String() {
			t.Error("c has the port of a")
		}
		listenPacket(t, next.For("a"), "127.0.0.1:0")
	})
	if strings.Count(log, "\n") != 1 || !strings.Contains(log, "name=a network=tcp address="+a.Addr().String()) {
		t.Errorf("log %q", log)
	}
}

func TestClosedSocketsAreNotHandedOver(t *testing.T) {
	s := newSockets(t, nil)
	_ = listen(t, s, "tcp", "127.0.0.1:0").Close()
	listen(t, s.For("open"), "tcp", "127.0.0.1:0")
	files := handOver(t, s)
	defer listener.CloseFiles(files)
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

// A process that inherited a path and fails before it took over leaves the path to the one that has it.
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

func TestControlSeesTheInheritedSocket(t *testing.T) {
	first := newSockets(t, nil)
	listen(t, first, "tcp", "127.0.0.1:0")
	listenPacket(t, first, "127.0.0.1:0")
	second := newSockets(t, handOver(t, first))
	refuse := func(network, _ string, c syscall.RawConn) error {
		return errors.Join(c.Control(func(uintptr) {}), errors.New("no options for "+network))
	}
	if _, err := second.Listen(t.Context(), "tcp", "127.0.0.1:0", refuse); err == nil || err.Error() != "no options for tcp" {
		t.Error(err)
	}
	if _, err := second.ListenPacket(t.Context(), "udp", "127.0.0.1:0", refuse); err == nil || err.Error() != "no options for udp" {
		t.Error(err)
	}
}

func TestRefusedInheritance(t *testing.T) {
	folder := t.TempDir()
	regular, err := os.Create(filepath.Join(folder, "file"))
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, nil, "tcp", "127.0.0.1:0")
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	connection, err := client.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	datagrams, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(folder, "dgram"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	gram, err := datagrams.File()
	if err != nil {
		t.Fatal(err)
	}
	for want, file := range map[string]*os.File{
		"it is no socket": regular, "does not listen (a systemd socket unit needs Accept=no)": connection, "must be tcp, udp or unix": gram,
	} {
		_, err := listener.NewSockets([]listener.SocketFile{{Name: "x", File: file}}, nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `the inherited socket "x"`) {
			t.Errorf("got %v, want %s", err, want)
		}
		if err := file.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: the file stayed open", want)
		}
	}
}

// A nil set opens plainly and hands nothing over.
func TestNilSockets(t *testing.T) {
	var s *listener.Sockets
	listen(t, s.For("a"), "tcp", "127.0.0.1:0")
	listenPacket(t, s, "127.0.0.1:0")
	if files := handOver(t, s); files != nil {
		t.Errorf("handed over %v", files)
	}
	s.HandedOver()
	s.TookOver()
	s.CloseUnused()
}
