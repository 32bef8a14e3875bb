package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/exgate/exgate/cmd/exgate/internal/upgrade"
	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// gate is a running gateway, whatever its current process.
type gate struct {
	t       testing.TB
	folder  string
	program string // the path of exgate, a copy that can be replaced
	ended   chan struct{}
	log     gatewaytest.Log
}

// newGate returns a gateway with a configuration. It is not started.
func newGate(t testing.TB, text string) *gate {
	t.Helper()
	g := &gate{t: t, folder: t.TempDir(), ended: make(chan struct{})}
	g.configure(text)
	g.program = filepath.Join(g.folder, "exgate")
	copyProgram(t, lookPath(t, "exgate"), g.program)
	return g
}

func lookPath(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func copyProgram(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to+".new", b, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(to+".new", to); err != nil {
		t.Fatal(err)
	}
}

func (g *gate) configure(text string) {
	g.t.Helper()
	text = fmt.Sprintf("pid_file: exgate.pid\nmodules_cache: %s\n%s", g.folder, text)
	if err := os.WriteFile(filepath.Join(g.folder, "exgate.yaml"), []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// start starts the gateway with cmd, or the plain program if cmd is nil, and waits until it is ready. It ends with the
// test.
func (g *gate) start(cmd *exec.Cmd) {
	g.t.Helper()
	g.launch(cmd)
	g.await("Press Ctrl-C to stop")
}

// launch is start without the waiting.
func (g *gate) launch(cmd *exec.Cmd) {
	g.t.Helper()
	if cmd == nil {
		cmd = exec.Command(g.program, "run", "-c", "exgate.yaml")
	}
	cmd.Dir = g.folder
	// testscript shortens os.Args[0] to the bare name
	cmd.Env = append(os.Environ(), "PATH="+g.folder+":"+os.Getenv("PATH"))
	reader, writer, err := os.Pipe() // it reaches its end with the last process that has it
	if err != nil {
		g.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = writer, writer
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	_ = writer.Close()
	go g.read(reader)
	go func() { _ = cmd.Wait() }()
	g.t.Cleanup(g.end)
}

func (g *gate) read(from *os.File) {
	defer close(g.ended)
	defer from.Close()
	for lines := bufio.NewScanner(from); lines.Scan(); {
		fmt.Fprintln(&g.log, lines.Text())
	}
}

// await waits for a line that contains text.
func (g *gate) await(text string) {
	g.t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(g.log.String(), text); {
		select {
		case <-g.ended:
			if !strings.Contains(g.log.String(), text) {
				g.t.Fatalf("ended without %q:\n%s", text, g.log.String())
			}
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(end) {
			g.t.Fatalf("%q does not come:\n%s", text, g.log.String())
		}
	}
}

// pid returns the id of the active process.
func (g *gate) pid() int {
	g.t.Helper()
	pid, err := upgrade.ReadPIDFile(filepath.Join(g.folder, "exgate.pid"))
	if err != nil {
		g.t.Fatalf("%v\n%s", err, g.log.String())
	}
	return pid
}

// end stops the gateway and waits for all its processes.
func (g *gate) end() {
	if pid, err := upgrade.ReadPIDFile(filepath.Join(g.folder, "exgate.pid")); err == nil {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	select {
	case <-g.ended:
	case <-time.After(patience):
		g.t.Errorf("it does not end:\n%s", g.log.String())
	}
	if g.t.Failed() {
		g.t.Log(g.log.String())
	}
}

// upgrade runs exgate upgrade and returns what it prints.
func (g *gate) upgrade() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "exgate", "upgrade", "--pid-file", filepath.Join(g.folder, "exgate.pid"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// mustUpgrade upgrades and waits until the new process is the one in the pid file.
func (g *gate) mustUpgrade() {
	g.t.Helper()
	before := g.pid()
	out, err := g.upgrade()
	if err != nil || !strings.Contains(out, fmt.Sprintf("has taken over from process %d", before)) {
		g.t.Fatalf("upgrade: %v\n%s\n%s", err, out, g.log.String())
	}
	g.awaitOther(before)
}

func (g *gate) awaitOther(before int) {
	g.t.Helper()
	gatewaytest.Eventually(g.t, "another process is the one", func() bool { return g.pid() != before })
}

// sockets returns the listening addresses of the latest process.
func (g *gate) sockets() map[string]string {
	found := map[string]string{}
	for _, line := range strings.Split(g.log.String(), "\n") {
		if f := strings.Fields(line); len(f) >= 3 && strings.HasPrefix(line, "  ") {
			found[f[0]] = f[2]
		}
	}
	return found
}
