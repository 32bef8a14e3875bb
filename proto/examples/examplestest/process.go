package examplestest

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience limits how long a process may take to start and to stop.
const patience = 90 * time.Second

var ready = regexp.MustCompile(`^handler on (\S+) `)

// process is a running example.
type process struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer  // read after ended
	ready  chan string   // receives the listen address, once
	ended  chan struct{} // closed when it has exited and its output was read
	err    error         // the result of Wait, read after ended
	stdout bytes.Buffer  // read after ended
}

// Start runs an example until the test ends and returns the address it serves on. It fails the test if the program's
// output contains password.
func Start(t *testing.T, e Example, adapter, password string) string {
	t.Helper()
	e.prepared(t)
	p := &process{ready: make(chan string, 1), ended: make(chan struct{})}
	args := append(e.command[1:len(e.command):len(e.command)], "--listen", "127.0.0.1:0", "--adapter", adapter)
	p.cmd = exec.Command(e.program(), args...)
	p.cmd.Dir = e.path("")
	p.cmd.Stderr = &p.stderr
	p.run(t)
	t.Cleanup(func() { p.stop(t, password) })
	select {
	case address := <-p.ready:
		return address
	case <-p.ended:
		t.Fatalf("%s ended before it served: %v", p.cmd, p.err)
	case <-time.After(patience):
		t.Fatalf("%s does not serve", p.cmd)
	}
	return ""
}

func (p *process) run(t *testing.T) {
	t.Helper()
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.read(stdout)
		p.err = p.cmd.Wait()
	}()
}

// read collects the program's output until it ends, and finds the line with its address.
func (p *process) read(stdout io.Reader) {
	lines := bufio.NewScanner(io.TeeReader(stdout, &p.stdout))
	for lines.Scan() {
		if found := ready.FindStringSubmatch(lines.Text()); found != nil {
			p.ready <- found[1]
			break
		}
	}
	_, _ = io.Copy(&p.stdout, stdout)
}

// stop sends SIGTERM and checks that the process exits with status 0 and has not printed password.
func (p *process) stop(t *testing.T, password string) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		if p.err != nil {
			t.Errorf("%s ended with %v", p.cmd, p.err)
		}
	case <-time.After(patience):
		t.Errorf("%s does not end at SIGTERM", p.cmd)
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	output := p.stdout.String() + p.stderr.String()
	if strings.Contains(output, password) {
		t.Errorf("%s printed a password", p.cmd)
	}
	if t.Failed() {
		t.Logf("%s printed:\n%s", p.cmd, output)
	}
}

// program returns the command's first word: a path relative to the example's folder, or a program in PATH.
func (e Example) program() string {
	name := e.command[0]
	if !strings.Contains(name, "/") || filepath.IsAbs(name) {
		return name
	}
	return e.path(name)
}

// path resolves a path relative to the example's folder.
func (e Example) path(name string) string {
	_, source, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(source), "..", e.folder, name)
}

// prepared skips the test if setup.sh has not run; in CI it fails.
func (e Example) prepared(t *testing.T) {
	t.Helper()
	if e.needs == "" {
		return
	}
	_, err := os.Stat(e.path(e.needs))
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("the example is not prepared: %v; run proto/examples/setup.sh %s", err, e.name)
	}
	t.Skipf("the example is not prepared: %v; run proto/examples/setup.sh %s", err, e.name)
}
