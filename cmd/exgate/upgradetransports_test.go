package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/certtest"
)

const everyTransport = `upstream: {url: mqtt://127.0.0.1:1}
listeners:
  local: {bind: "unix:%s", handler: {wasm: builtin:line}}
  datagrams: {type: udp, bind: 127.0.0.1:0, handler: {wasm: builtin:line}}
  any: {bind: 127.0.0.1:0, handler: {wasm: builtin:line}}
  web: {type: ws, bind: 127.0.0.1:0, websocket: {send: binary}, handler: {wasm: builtin:line}}
`

// Sockets with a path, datagram sockets, and sockets with a port chosen by the system stay the same.
func TestUpgradeOfEveryTransport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "exgate.sock")
	g := newGate(t, fmt.Sprintf(everyTransport, path))
	g.start(nil)
	before := g.sockets()
	for range 2 {
		g.mustUpgrade()
		g.await(fmt.Sprintf(`"pid":%d`, g.pid()))
	}
	if after := g.sockets(); after["any"] != before["any"] || after["datagrams"] != before["datagrams"] ||
		after["web"] != before["web"] {
		t.Errorf("sockets %v, before %v", after, before)
	}
	local := newLineDevice(t, "unix", path)
	anyPort := newLineDevice(t, "tcp", before["any"])
	datagrams, err := net.Dial("udp", before["datagrams"])
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	web := newLineDevice(t, "ws", before["web"])
	for _, c := range []net.Conn{local, anyPort, web} {
		if err := c.(*lineDevice).ping(); err != nil {
			t.Error(err)
		}
	}
	if got, err := exchange(datagrams, "ping\n"); err != nil || !strings.Contains(got, "pong") {
		t.Errorf("got %q, %v", got, err)
	}
	g.end()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the last process left its socket: %v", err)
	}
}

// exchange sends a datagram until the answer is not a greeting: one may be lost while the process changes.
func exchange(c net.Conn, text string) (string, error) {
	b := make([]byte, 2048)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, err := c.Write([]byte(text)); err != nil {
			return "", err
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		n, err := c.Read(b)
		if err == nil && !strings.HasPrefix(string(b[:n]), "exgate line protocol") {
			return string(b[:n]), nil
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return "", err
		}
	}
	return "", os.ErrDeadlineExceeded
}

// openssl is a DTLS device. It sends its input, and exits when the gateway ends the session.
type openssl struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

func startOpenSSL(t *testing.T, address string) *openssl {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	o := &openssl{cmd: exec.CommandContext(ctx, "openssl", "s_client", "-quiet", "-dtls1_2", "-connect", address)}
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if o.in, err = o.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	o.lines = bufio.NewScanner(out)
	return o
}

// see reads up to a line with text, and reports whether it came before the end.
func (o *openssl) see(text string) bool {
	for o.lines.Scan() {
		if o.lines.Text() == text {
			return true
		}
	}
	return false
}

// The old process ends a DTLS session explicitly; the next one is with the new process.
func TestUpgradeEndsDTLS(t *testing.T) {
	cert, key := certtest.Files(t, t.TempDir())
	g := newGate(t, fmt.Sprintf("upstream: {url: mqtt://127.0.0.1:1}\nlisteners:\n"+
		"  secure: {type: dtls, bind: 127.0.0.1:0, handler: {wasm: builtin:line}, tls: {cert: %s, key: %s}}\n", cert,
		key))
	g.start(nil)
	for range 2 {
		device := startOpenSSL(t, g.sockets()["secure"])
		if _, err := io.WriteString(device.in, "ping\n"); err != nil {
			t.Fatal(err)
		}
		if !device.see("pong") {
			t.Fatal("no pong")
		}
		g.mustUpgrade()
		if device.see("more") {
			t.Error("the device was sent more")
		}
		_ = device.cmd.Wait()
	}
}
