package program

import (
	"errors"
	"fmt"
	"syscall"
)

var errNotRunning = errors.New("the program is not running")

// Pause stops the program with SIGSTOP and returns when it has stopped: its sockets stay open, but nothing answers.
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
			return fmt.Errorf("waiting for the program to stop: %w", err)
		case !status.Stopped():
			return errors.New("the program ended instead of stopping")
		default:
			return nil
		}
	}
}

// Resume continues a paused program.
func (p *Process) Resume() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return errNotRunning
	}
	return p.cmd.Process.Signal(syscall.SIGCONT)
}
