package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// freeAddress is an address that nobody listens at.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// elsewhere has a broker that nobody needs before login.
func elsewhere(address string) string {
	return fmt.Sprintf("upstream: {url: mqtt://127.0.0.1:1}\nlisteners: {line: {bind: %q, handler: {wasm: builtin:line}}}\n", address)
}

// connecting connects devices, one after the other in each of a few goroutines, until stop is called, which returns how many were served.
func connecting(t testing.TB, address string, use func(*lineDevice) error) (stop func() int64) {
	var served atomic.Int64
	done := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				d, err := dialLine("tcp", address)
				if err != nil {
					t.Errorf("after %d devices: %v", served.Load(), err)
					return
				}
				if err := use(d); err != nil {
					t.Errorf("after %d devices: %v", served.Load(), err)
				}
				_ = d.Close()
				served.Add(1)
			}
		})
	}
	return func() int64 {
		close(done)
		clients.Wait()
		return served.Load()
	}
}

// Three upgrades, and every connection is accepted and served; those that are there live on.
func TestUpgradeRefusesNobody(t *testing.T) {
	address := freeAddress(t)
	g := newGate(t, elsewhere(address))
	g.start(nil)
	stop := connecting(t, address, (*lineDevice).ping)
	var devices []*lineDevice
	for range 3 {
		d, err := dialLine("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		devices = append(devices, d)
		g.mustUpgrade()
	}
	t.Logf("%d devices were served", stop())
	for i, d := range devices {
		if err := d.ping(); err != nil {
			t.Errorf("the device of process %d: %v", i+1, err)
		}
		_ = d.Close()
	}
}

// With the embedded broker devices move at once, and find one broker.
func TestUpgradeWithTheEmbeddedBroker(t *testing.T) {
	address, broker := freeAddress(t), freeAddress(t)
	g := newGate(t, fmt.Sprintf("upstream: {embedded: {bind: %q}}\nlisteners: {line: {bind: %q, handler: {wasm: builtin:line}}}\n", broker, address))
	g.start(nil)
	stop := connecting(t, address, func(*lineDevice) error { return nil })
	stays, err := dialLine("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer stays.Close()
	for range 3 {
		g.mustUpgrade()
	}
	t.Logf("%d devices were greeted", stop())
	if err := stays.ping(); err == nil {
		t.Error("a device stayed with the old broker")
	}
	if c, err := net.Dial("tcp", broker); err != nil {
		t.Error(err)
	} else {
		_ = c.Close()
	}
}

// What the new process cannot do is said, and the old one serves on.
func TestUpgradeThatFails(t *testing.T) {
	address := freeAddress(t)
	g := newGate(t, elsewhere(address))
	g.start(nil)
	before := g.pid()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	taken := other.Addr().String()
	for _, c := range []struct {
		name, want string
		breakIt    func()
	}{
		{"configuration", "the new process cannot take over: exgate.yaml:3: nod: unknown key", func() { g.configure("nod: x\n" + elsewhere(address)) }},
		{"port", "metrics.bind: " + taken + " is in use", func() { g.configure("metrics: {bind: '" + taken + "'}\n" + elsewhere(address)) }},
		{"program", "the new process ended before it was ready, its output says why: exit status 3", func() {
			g.configure(elsewhere(address))
			replaceProgram(t, g, "#!/bin/sh\nexit 3\n")
		}},
		{"no program", "exec format error", func() { replaceProgram(t, g, "\x7fELF") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.breakIt()
			out, err := g.upgrade()
			if err == nil || !strings.Contains(out, c.want) {
				t.Errorf("%v: %s", err, out)
			}
			if pid := g.pid(); pid != before {
				t.Errorf("process %d serves", pid)
			}
			d, err := dialLine("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if err := d.ping(); err != nil {
				t.Error(err)
			}
		})
	}
	copyProgram(t, lookPath(t, "exgate"), g.program)
	g.mustUpgrade()
}

func replaceProgram(t *testing.T, g *gate, text string) {
	t.Helper()
	if err := os.WriteFile(g.program+".new", []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(g.program+".new", g.program); err != nil {
		t.Fatal(err)
	}
}

// SIGUSR2 does what exgate upgrade does, and SIGTERM ends the last process and its pid file.
func TestUpgradeBySignal(t *testing.T) {
	address := freeAddress(t)
	g := newGate(t, elsewhere(address))
	g.start(nil)
	before := g.pid()
	if err := syscall.Kill(before, syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	g.awaitOther(before)
	d, err := dialLine("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.ping(); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(g.pid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-g.ended
	if _, err := os.Stat(filepath.Join(g.folder, "exgate.pid")); !os.IsNotExist(err) {
		t.Errorf("the pid file is left: %v", err)
	}
}

const everyTransport = `upstream: {url: mqtt://127.0.0.1:1}
listeners:
  local: {bind: "unix:%s", handler: {wasm: builtin:line}}
  datagrams: {type: udp, bind: 127.0.0.1:0, handler: {wasm: builtin:line}}
  any: {bind: 127.0.0.1:0, handler: {wasm: builtin:line}}
`

// Sockets that have a path, take datagrams, or have a port of the system's choice, stay what they are.
func TestUpgradeOfEveryTransport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "exgate.sock")
	g := newGate(t, fmt.Sprintf(everyTransport, path))
	g.start(nil)
	before := g.sockets()
	for range 2 {
		g.mustUpgrade()
		g.await(fmt.Sprintf(`"pid":%d`, g.pid()))
	}
	if after := g.sockets(); after["any"] != before["any"] || after["datagrams"] != before["datagrams"] {
		t.Errorf("sockets %v, before %v", after, before)
	}
	local, err := dialLine("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	anyPort, err := dialLine("tcp", before["any"])
	if err != nil {
		t.Fatal(err)
	}
	defer anyPort.Close()
	datagrams, err := net.Dial("udp", before["datagrams"])
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	for _, c := range []net.Conn{local, anyPort} {
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

// exchange sends a datagram until one comes back that is no greeting: one may be lost while the process changes.
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

// A device that connected before the gateway started is served by a socket of systemd's; so are those after an upgrade.
func TestSocketActivation(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	early, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()

	g := newGate(t, elsewhere(l.Addr().String()))
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=line exec exgate run -c exgate.yaml`)
	cmd.ExtraFiles = []*os.File{file}
	g.start(cmd)
	device := &lineDevice{early, bufio.NewReader(early)}
	_ = early.SetDeadline(time.Now().Add(patience))
	if _, err := device.lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	g.mustUpgrade()
	late, err := dialLine("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	for _, d := range []*lineDevice{device, late} {
		if err := d.ping(); err != nil {
			t.Error(err)
		}
	}
}

// systemd hears from the process that it knows which one takes over.
func TestUpgradeTellsSystemd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	g := newGate(t, elsewhere("127.0.0.1:0"))
	t.Setenv("NOTIFY_SOCKET", path)
	g.start(nil)
	g.mustUpgrade()
	second := g.pid()
	g.end()
	b := make([]byte, 256)
	_ = systemd.SetReadDeadline(time.Now().Add(patience))
	for _, want := range []string{"READY=1", fmt.Sprintf("MAINPID=%d", second), "READY=1", "STOPPING=1"} {
		n, err := systemd.Read(b)
		if err != nil || string(b[:n]) != want {
			t.Errorf("systemd got %q, want %q, %v", b[:n], want, err)
		}
	}
}

// With a gRPC handler devices move at once, too: nothing that a device is told is decided by a process that does not have it.
func TestUpgradeWithAHandlerElsewhere(t *testing.T) {
	address := freeAddress(t)
	adapter := freeAddress(t)
	g := newGate(t, fmt.Sprintf("upstream: {url: mqtt://127.0.0.1:1}\nadapter: {bind: %q}\nlisteners:\n"+
		"  line: {bind: %q, handler: {wasm: builtin:line}}\n  far: {bind: 127.0.0.1:0, handler: {grpc: 127.0.0.1:1}}\n", adapter, address))
	g.start(nil)
	d, err := dialLine("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	g.mustUpgrade()
	if err := d.ping(); err == nil {
		t.Error("a device stayed")
	}
	if c, err := net.Dial("tcp", adapter); err != nil {
		t.Error(err)
	} else {
		_ = c.Close()
	}
}
