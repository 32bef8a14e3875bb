package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"
)

// Ask asks the gateway that is process pid to upgrade itself, and waits for the outcome. progress is called with each step.
func Ask(ctx context.Context, pid int, progress func(string)) (string, error) {
	if pid <= 0 {
		return "", fmt.Errorf("%d is no number of a process", pid)
	}
	switch err := syscall.Kill(pid, 0); {
	case errors.Is(err, syscall.ESRCH):
		return "", fmt.Errorf("there is no process %d", pid)
	case errors.Is(err, syscall.EPERM):
		return "", fmt.Errorf("process %d belongs to another user: upgrade it as that user or as root", pid)
	case err != nil:
		return "", fmt.Errorf("looking for process %d: %w", pid, err)
	}
	conn, err := dialControl(ctx, pid)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.WriteString(conn, command); err != nil {
		return "", fmt.Errorf("asking process %d: %w", pid, err)
	}
	outcome, err := readAnswers(conn, progress)
	if err != nil {
		return "", fmt.Errorf("upgrading process %d: %w", pid, err)
	}
	return outcome, nil
}
