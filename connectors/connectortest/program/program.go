// Package program runs programs for tests: brokers, and the gateway itself.
package program

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway/gatewaytest"
)

// Find returns the path of a program. If it is not installed, the test is skipped or, if the environment has CI, fails,
// with the advice to run install.
func Find(t testing.TB, name, install string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath(filepath.Join("/usr/sbin", name))
	}
	if err != nil {
		Missing(t, "%s is missing: %s", name, install)
	}
	return path
}

// Missing skips a test because something is missing or, if the environment has CI, where everything must be installed,
// fails it.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	} else {
		t.Skipf(format, args...)
	}
}

// Process is a program that can be started and ended repeatedly. The zero value has not been started.
type Process struct {
	// Log is the output of all runs.
	Log gatewaytest.Log

	mu     sync.Mutex
	cmd    *exec.Cmd     // nil while not running; guarded by mu
	exited chan struct{} // closed when cmd has ended; guarded by mu
}

// Run starts cmd and waits, for patience at most, until it accepts connections at all listeners, each HOST:PORT.
func (p *Process) Run(cmd *exec.Cmd, patience time.Duration, listeners ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	cmd.Stdout, cmd.Stderr = &p.Log, &p.Log
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	if err := await(listeners, exited, patience); err != nil {
		_ = cmd.Process.Kill()
		<-exited
		return err
	}
	p.cmd, p.exited = cmd, exited
	return nil
}

func await(listeners []string, exited <-chan struct{}, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for _, addr := range listeners {
		for {
			conn, err := net.Dial("tcp", addr)
			if err == nil {
				_ = conn.Close()
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("the program does not listen on %s after %v", addr, patience)
			}
			select {
			case <-exited:
				return errors.New("the program ended during startup")
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	return nil
}

// PID returns the process id, or 0 if the program is not running.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// Kill kills the program. It does nothing if the program is not running.
func (p *Process) Kill() { _ = p.End(syscall.SIGKILL, time.Minute) }

// End sends a signal and waits, for patience at most, for the program to end. A paused program is resumed. End does
// nothing if the program is not running.
func (p *Process) End(signal os.Signal, patience time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	_ = p.cmd.Process.Signal(signal)
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	select {
	case <-p.exited:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		return fmt.Errorf("the program ignores %v", signal)
	}
	p.cmd = nil
	return nil
}
