package upgrade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/exgate/exgate/runtime/listener"
)

// maxReport is how many bytes of a new process's report are read.
const maxReport = 64 << 10

// Program is the program of this process and its arguments, to be started again.
type Program struct {
	path string
	args []string
}

// ThisProgram is to be called at the start, while the path that the process was called by still leads to it. A path through a symbolic link stays one:
// the link may lead to a newer version later.
func ThisProgram() (Program, error) {
	path, err := exec.LookPath(os.Args[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		path, err = os.Executable()
	}
	if err != nil {
		return Program{}, fmt.Errorf("finding the program of this process: %w", err)
	}
	return Program{path: path, args: os.Args[1:]}, nil
}

// String is the program's path.
func (p Program) String() string { return p.path }

// Successor is the process that replaces this one.
type Successor struct {
	// PID is its number.
	PID int

	process *os.Process
	goOn    *os.File
}

// Start starts the program with the sockets, which stay the caller's, and waits until it could take over. If it fails, or ctx ends, it is not running any
// longer when Start returns, and the error says why.
func (p Program) Start(ctx context.Context, sockets []listener.SocketFile) (*Successor, error) {
	report, say, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", p, err)
	}
	defer func() { _ = report.Close() }()
	wait, goOn, err := os.Pipe()
	if err != nil {
		_ = say.Close()
		return nil, fmt.Errorf("starting %s: %w", p, err)
	}
	cmd, err := p.command(sockets, say, wait)
	if err == nil {
		err = cmd.Start()
	}
	_, _ = say.Close(), wait.Close()
	if err != nil {
		_ = goOn.Close()
		return nil, fmt.Errorf("starting %s: %w", p, err)
	}
	if err := waitReady(ctx, cmd, report); err != nil {
		_ = goOn.Close()
		return nil, err
	}
	return &Successor{PID: cmd.Process.Pid, process: cmd.Process, goOn: goOn}, nil
}

func (p Program) command(sockets []listener.SocketFile, say, wait *os.File) (*exec.Cmd, error) {
	text, err := json.Marshal(inheritance{From: os.Getpid(), Sockets: sockets})
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(p.path, p.args...)
	cmd.Env = append(os.Environ(), variable+"="+string(text))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{say, wait}
	for _, s := range sockets {
		cmd.ExtraFiles = append(cmd.ExtraFiles, s.File)
	}
	return cmd, nil
}

// waitReady reads the report of the new process, and ends the process where it is not that it is ready.
func waitReady(ctx context.Context, cmd *exec.Cmd, report *os.File) error {
	stop := context.AfterFunc(ctx, func() { _ = report.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	text, err := io.ReadAll(io.LimitReader(report, maxReport))
	if err == nil && string(text) == ready {
		return nil
	}
	_ = cmd.Process.Kill()
	ended := cmd.Wait()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return errors.New("the new process was not ready in time and was ended")
	case ctx.Err() != nil:
		return fmt.Errorf("the new process was ended: %w", context.Cause(ctx))
	case len(text) > 0:
		return fmt.Errorf("the new process cannot take over: %s", text)
	}
	return fmt.Errorf("the new process ended before it was ready, its output says why: %w", ended)
}

// Go lets the new process accept devices. It goes on alone from here.
func (s *Successor) Go() error {
	return errors.Join(s.goOn.Close(), s.process.Release())
}
