package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// Ask sends a request to the gateway with process id pid and waits for the outcome. args may be nil.
func Ask(ctx context.Context, pid int, name string, args any, to Answers) (string, error) {
	if pid <= 0 {
		return "", fmt.Errorf("%d is not a process id", pid)
	}
	switch err := syscall.Kill(pid, 0); {
	case errors.Is(err, syscall.ESRCH):
		return "", fmt.Errorf("process %d does not exist", pid)
	case errors.Is(err, syscall.EPERM):
		return "", fmt.Errorf("process %d belongs to another user: %s it as that user or as root", pid, name)
	case err != nil:
		return "", fmt.Errorf("looking for process %d: %w", pid, err)
	}
	line, err := appendRequest(name, args)
	if err != nil {
		return "", err
	}
	conn, err := dial(ctx, pid)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { to.interrupt(conn) })
	defer stop()
	if _, err := conn.Write(line); err != nil {
		return "", fmt.Errorf("asking process %d: %w", pid, err)
	}
	outcome, err := readAnswers(conn, to)
	if err != nil {
		return "", AnswerError{err}
	}
	return outcome, nil
}

// interrupt ends Ask.
func (to Answers) interrupt(conn *net.UnixConn) {
	if to.Patient {
		_ = conn.CloseWrite() // ends the context of the request in the gateway
		_ = conn.SetDeadline(time.Now().Add(requestTimeout))
		return
	}
	_ = conn.SetDeadline(time.Unix(1, 0))
}

// AnswerError is the error that a gateway answered with.
type AnswerError struct{ error }

func (e AnswerError) Unwrap() error { return e.error }
