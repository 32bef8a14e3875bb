package service_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/certtest"
	"github.com/exgate/exgate/cmd/exgate/internal/service"
)

// patience bounds each wait.
const patience = 90 * time.Second

// serve starts a service with the embedded broker, with more settings of it, and the listeners of text, and returns the
// address of each.
func serve(t *testing.T, text string, broker ...string) map[string]net.Addr {
	t.Helper()
	settings := strings.Join(append([]string{"bind: 127.0.0.1:0"}, broker...), ", ")
	cfg := configured(t, "upstream: {embedded: {"+settings+"}}\nlisteners:\n"+text)
	s, err := service.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	addrs := make(map[string]net.Addr)
	for _, socket := range s.Sockets() {
		addrs[socket.Name] = socket.Addr
	}
	return addrs
}

// login speaks the line protocol until the device is logged in.
func login(t *testing.T, c net.Conn) {
	t.Helper()
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("login me\n")); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(c)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "ok\n" {
			return
		}
	}
}

func dial(t *testing.T, a net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial(a.Network(), a.String())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const plain = "  a: {bind: 127.0.0.1:0, handler: {wasm: builtin:line}, %s}\n"

func TestTLS(t *testing.T) {
	cert, key := certtest.Files(t, t.TempDir())
	addr := serve(t, fmt.Sprintf(plain, fmt.Sprintf("type: tls, tls: {cert: %s, key: %s}", cert, key)))["a"]
	c, err := tls.Dial("tcp", addr.String(), &tls.Config{RootCAs: certtest.Pool(t, cert)})
	if err != nil {
		t.Fatal(err)
	}
	login(t, c)
}

func TestUDP(t *testing.T) {
	login(t, dial(t, serve(t, fmt.Sprintf(plain, "type: udp, udp: {max_peers: 10}"))["a"]))
}

func TestUnixSocket(t *testing.T) {
	folder, err := os.MkdirTemp("", "exgate") // short: the path of a socket has few bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	path := filepath.Join(folder, "s")
	login(t, dial(t, serve(t, fmt.Sprintf("  a: {bind: 'unix:%s', handler: {wasm: builtin:line}}\n", path))["a"]))
}

func TestProxyProtocol(t *testing.T) {
	addr := serve(t, fmt.Sprintf(plain, "proxy_protocol: {trusted: [127.0.0.1]}, access: {rules: "+
		"[deny 192.0.2.7]}"))["a"]
	c := dial(t, addr)
	_, _ = c.Write([]byte("PROXY TCP4 192.0.2.8 127.0.0.1 1 2\r\n"))
	login(t, c)

	expectRefused(t, addr, "PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n")
}

func TestAccessFileOfAListener(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access")
	if err := os.WriteFile(file, []byte("deny 127.0.0.1 # everybody here\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expectRefused(t, serve(t, fmt.Sprintf(plain, "access: {file: "+file+"}"))["a"], "")
}

// expectRefused connects, which may fail already, and is sent nothing.
func expectRefused(t *testing.T, a net.Addr, hello string) {
	t.Helper()
	c, err := net.Dial(a.Network(), a.String())
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = c.Write([]byte(hello))
	if n, err := c.Read(make([]byte, 1)); n != 0 || os.IsTimeout(err) {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

func TestMaxConnections(t *testing.T) {
	addrs := serve(t, fmt.Sprintf(plain, "max_connections: 1")+
		strings.Replace(fmt.Sprintf(plain, "max_connections_per_source: 1"), "a:", "b:", 1))
	for _, name := range []string{"a", "b"} {
		first := dial(t, addrs[name])
		if _, err := bufio.NewReader(first).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		expectRefused(t, addrs[name], "")
		_ = first.Close()
	}
}

func TestWhatOnlyOpeningShows(t *testing.T) {
	cfg := configured(t, "upstream: {embedded: {bind: 127.0.0.1:0}}\nlisteners:\n  a: {bind: 'unix:/nowhere/s', "+
		"handler: {wasm: builtin:line}}\n")
	_, err := service.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err == nil || !strings.HasSuffix(err.Error(),
		"exgate.yaml:3: listeners.a.bind: cannot listen on unix:/nowhere/s: bind: no such file or directory") {
		t.Error(err)
	}
}

// serveStrangers is serve with a broker that rejects every login.
func serveStrangers(t *testing.T, settings string) net.Addr {
	t.Helper()
	users := filepath.Join(t.TempDir(), "users.yaml")
	if err := os.WriteFile(users, []byte("anonymous: false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return serve(t, fmt.Sprintf(plain, settings), "auth_file: "+users)["a"]
}

func TestBanOfWhoFailsToLogIn(t *testing.T) {
	addr := serveStrangers(t, "ban: {failures: 2}")
	for range 2 {
		c := dial(t, addr)
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = c.Write([]byte("login me\nquit\n"))
		if got, err := io.ReadAll(c); err != nil || strings.Contains(string(got), "ok\n") {
			t.Fatalf("read %q, %v", got, err)
		}
		_ = c.Close()
	}
	expectRefused(t, addr, "")
}

func TestAuthDeadline(t *testing.T) {
	c := dial(t, serveStrangers(t, "limits: {auth_deadline: 50ms}"))
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.ReadAll(c); err != nil {
		t.Error(err)
	}
}
