package listener_test

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/listener"
	"github.com/exgate/exgate/runtime/listener/listenertest"
)

func dialUnix(t *testing.T, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestUnixEcho(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := serveStream(t, listener.TCPConfig{Bind: "unix:" + path}, listenertest.Send, gateway.Limits{})
	c := dialUnix(t, path)
	echoes(t, c, strings.Repeat("hello", 100000))
	if info := <-s.Info; !reflect.DeepEqual(info, gateway.ConnInfo{SocketType: gateway.SocketTCP}) {
		t.Errorf("info %+v", info)
	}
	_ = c.Close()
	if r := <-s.Closed; !r.Is(gateway.ReasonTCPClosed) {
		t.Errorf("closed with %v", r)
	}
	if err := s.socket.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket's file after the listener: %v", err)
	}
}

func TestUnixMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	serveStream(t, listener.TCPConfig{Bind: "unix:" + path}, listenertest.Send, gateway.Limits{})
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v", info.Mode())
	}
}

// The file that a dead process left is replaced.
func TestUnixStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	serveStream(t, listener.TCPConfig{Bind: "unix:" + path}, listenertest.Send, gateway.Limits{})
	echoes(t, dialUnix(t, path), "hello")
}

// The socket of a live process, and a file that is not a socket, are left alone.
func TestUnixInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	serveStream(t, listener.TCPConfig{Bind: "unix:" + path}, listenertest.Send, gateway.Limits{})
	if _, err := listener.ListenTCP(t.Context(), listener.TCPConfig{Bind: "unix:" + path}); !errors.Is(err,
		syscall.EADDRINUSE) {
		t.Errorf("a second listener: %v", err)
	}
	echoes(t, dialUnix(t, path), "still there")

	file := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(file, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := listener.ListenTCP(t.Context(), listener.TCPConfig{Bind: "unix:" + file})
	if content, _ := os.ReadFile(file); !errors.Is(err, syscall.EADDRINUSE) || string(content) != "data" ||
		!strings.Contains(err.Error(), file) {
		t.Errorf("a file in the way: %v, %q left", err, content)
	}
}

// A proxy on a unix socket is trusted because it may open it.
func TestUnixProxy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := serveStream(t, listener.TCPConfig{Bind: "unix:" + path, Proxy: &listener.ProxyConfig{}}, listenertest.Send,
		gateway.Limits{})
	echoesAfter(t, dialUnix(t, path), proxyHeader(t, 2, "203.0.113.7:4711", "198.51.100.1:993"), "hello")
	if info := <-s.Info; info.Peer != netip.MustParseAddrPort("203.0.113.7:4711") {
		t.Errorf("info %+v", info)
	}
}
