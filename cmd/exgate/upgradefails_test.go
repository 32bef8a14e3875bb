package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// If the new process cannot take over, the reason is reported and the old process continues.
func TestUpgradeThatFails(t *testing.T) {
	address := gatewaytest.FreeAddress(t)
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
		{
			"configuration", "the new process cannot take over: exgate.yaml:3: nod: unknown key",
			func() { g.configure("nod: x\n" + elsewhere(address)) },
		},
		{
			"port", "metrics.bind: " + taken + " is in use",
			func() { g.configure("metrics: {bind: '" + taken + "'}\n" + elsewhere(address)) },
		},
		{"program", "the new process exited before it was ready; see its output: exit status 3", func() {
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
			d := newLineDevice(t, "tcp", address)
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

// A signal to stop during the start of a new process stops both.
func TestStopWhileUpgrading(t *testing.T) {
	g := newGate(t, elsewhere(gatewaytest.FreeAddress(t)))
	g.start(nil)
	said := filepath.Join(g.folder, "said")
	if err := syscall.Mkfifo(said, 0o600); err != nil {
		t.Fatal(err)
	}
	replaceProgram(t, g, "#!/bin/sh\necho started >"+said+"\nexec sleep 1000\n")
	upgraded := make(chan string, 1)
	go func() {
		out, _ := g.upgrade()
		upgraded <- out
	}()
	if _, err := os.ReadFile(said); err != nil {
		t.Fatal(err)
	}
	g.end()
	if out := <-upgraded; !strings.Contains(out,
		"the new process was killed: the old process received a signal to stop: terminated") {
		t.Errorf("exgate upgrade says %q", out)
	}
}

// The old process closes devices that stay after upgrade_timeout, and then exits.
func TestDeviceThatStaysTooLong(t *testing.T) {
	address := gatewaytest.FreeAddress(t)
	g := newGate(t, "upgrade_timeout: 100ms\n"+elsewhere(address))
	g.start(nil)
	d := newLineDevice(t, "tcp", address)
	before := g.pid()
	g.mustUpgrade()
	if _, err := io.ReadAll(d.lines); err != nil {
		t.Errorf("the device was not ended in order: %v", err)
	}
	g.await("closing the remaining connections")
	gatewaytest.Eventually(t, "the old process is gone", func() bool { return syscall.Kill(before, 0) != nil })
}

// A process that waits for its last devices still stops on a signal, and closes them.
func TestStopOfTheOldProcess(t *testing.T) {
	address := gatewaytest.FreeAddress(t)
	g := newGate(t, elsewhere(address))
	g.start(nil)
	d := newLineDevice(t, "tcp", address)
	before := g.pid()
	g.mustUpgrade()
	if err := d.ping(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(before, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = d.SetDeadline(time.Now().Add(patience))
	if _, err := io.ReadAll(d.lines); err != nil {
		t.Errorf("the device was not ended in order: %v", err)
	}
}
