package sockets_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/exgate/exgate/runtime/listener/sockets"
)

// leftOver hands over the sockets of s, takes those that ask wants, and returns what is logged of the others.
func leftOver(t *testing.T, s *sockets.Sockets, ask func(*sockets.Sockets)) string {
	t.Helper()
	var log bytes.Buffer
	next, err := sockets.New(handOver(t, s), slog.New(slog.NewTextHandler(&log, nil)))
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
		log := leftOver(t, first, func(next *sockets.Sockets) {
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
	log := leftOver(t, first, func(next *sockets.Sockets) {
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

func TestControlSeesTheInheritedSocket(t *testing.T) {
	first := newSockets(t, nil)
	listen(t, first, "tcp", "127.0.0.1:0")
	listenPacket(t, first, "127.0.0.1:0")
	second := newSockets(t, handOver(t, first))
	refuse := func(network, _ string, c syscall.RawConn) error {
		return errors.Join(c.Control(func(uintptr) {}), errors.New("no options for "+network))
	}
	if _, err := second.Listen(t.Context(), "tcp", "127.0.0.1:0", refuse); err == nil ||
		err.Error() != "no options for tcp" {
		t.Error(err)
	}
	if _, err := second.ListenPacket(t.Context(), "udp", "127.0.0.1:0", refuse); err == nil ||
		err.Error() != "no options for udp" {
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
	datagrams, err := net.ListenUnixgram("unixgram",
		&net.UnixAddr{Name: filepath.Join(folder, "dgram"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	gram, err := datagrams.File()
	if err != nil {
		t.Fatal(err)
	}
	for want, file := range map[string]*os.File{
		"not a socket": regular, "does not listen (a systemd socket unit needs Accept=no)": connection,
		"must be tcp, udp or unix": gram,
	} {
		_, err := sockets.New([]sockets.SocketFile{{Name: "x", File: file}}, nil)
		if err == nil || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), `the inherited socket "x"`) {
			t.Errorf("got %v, want %s", err, want)
		}
		if err := file.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: the file stayed open", want)
		}
	}
}
