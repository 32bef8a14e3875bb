package program

import (
	"errors"
	"fmt"
	"syscall"
)

var errNotRunning = errors.New("it does not run")

// Pause stops the program with SIGSTOP and returns when it has stopped: its sockets stay open, and nothing answers on
// them.
func (p *Process) Pause() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return errNotRunning
	}
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return awaitStop(p.cmd.Process.Pid)
}

func awaitStop(pid int) error {
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return fmt.Errorf("waiting for its stop: %w", err)
		case !status.Stopped():
			return errors.New("it ended instead of stopping")
		default:
			return nil
		}
	}
}

// Resume lets a paused program go on.
func (p *Process) Resume() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return errNotRunning
	}
	return p.cmd.Process.Signal(syscall.SIGCONT)
}
