package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// A systemd socket serves a device that connected before the gateway started, and devices after an upgrade.
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
	late := newLineDevice(t, "tcp", l.Addr().String())
	for _, d := range []*lineDevice{device, late} {
		if err := d.ping(); err != nil {
			t.Error(err)
		}
	}
}

// The process that systemd knows reports which one takes over.
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
