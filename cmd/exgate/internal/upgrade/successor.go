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

	"github.com/exgate/exgate/runtime/listener/sockets"
)

// maxReport bounds the report of a new process, in bytes.
const maxReport = 64 << 10

// Program is the program of this process and its arguments.
type Program struct {
	path string
	args []string
}

// ThisProgram returns the program of this process. Call it at the start, while the path of the process still leads to
// it. It does not resolve symbolic links: they may lead to a newer version later.
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
	// PID is its process id.
	PID int

	process *os.Process
	goOn    *os.File
}

// Start starts the program with the sockets, which the caller keeps, and waits until it is ready to take over. If it
// fails or ctx ends, Start returns an error and the program is no longer running.
func (p Program) Start(ctx context.Context, sockets []sockets.SocketFile) (*Successor, error) {
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

func (p Program) command(sockets []sockets.SocketFile, say, wait *os.File) (*exec.Cmd, error) {
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

// waitReady reads the report of the new process, and kills the process unless it is ready.
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
		return errors.New("the new process was not ready in time and was killed")
	case ctx.Err() != nil:
		return fmt.Errorf("the new process was killed: %w", context.Cause(ctx))
	case len(text) > 0:
		return fmt.Errorf("the new process cannot take over: %s", text)
	}
	return fmt.Errorf("the new process exited before it was ready; see its output: %w", ended)
}

// Go lets the new process accept devices. It is on its own from then on.
func (s *Successor) Go() error {
	return errors.Join(s.goOn.Close(), s.process.Release())
}
