package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/exgate/exgate/cmd/exgate/internal/control"
)

// captureRequest names the control request that captures connections.
const captureRequest = "capture"

// captureArgs are its arguments.
type captureArgs struct {
	Listener    string        `json:"listener"`
	Connections int           `json:"connections,omitempty"` // 0 means any number
	For         time.Duration `json:"for,omitempty"`         // in ns; 0 means until the client disconnects
}

func newCapture() *cobra.Command {
	var args captureArgs
	var pid int
	var pidFile, out string
	cmd := &cobra.Command{
		Use:   "capture",
		Short: "Record connections of a running gateway",
		Long: `Records new connections of a listener in a running gateway: the events that the handler receives and the
calls that it makes, in the .exgc format, with passwords masked. Connections that are already open are not recorded,
because a recording starts with the connection.

Recording ends when --connections connections have ended, after --for, or with Ctrl-C. Connections that are still open
at that time continue, but their recording is cut off. To play a recording to a module, use exgate module replay.`,
		Example: `  exgate capture --pid-file /run/exgate/exgate.pid --listener demo --connections 3 --out demo.exgc
  exgate capture --pid 4711 --listener demo --for 30s > demo.exgc`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if args.Listener == "" || args.Connections < 0 || args.For < 0 {
				return usageError{errors.New("--listener NAME is required, and --connections and --for must not be " +
					"negative; see exgate capture --help")}
			}
			number, err := processNumber(cmd, pid, pidFile)
			if err != nil {
				return err
			}
			return captureTo(cmd, number, args, out)
		},
	}
	cmd.Flags().StringVar(&args.Listener, "listener", "", "the `name` of the listener to record")
	cmd.Flags().IntVar(&args.Connections, "connections", 0,
		"stop after this `number` of connections (default: no limit)")
	cmd.Flags().DurationVar(&args.For, "for", 0, "stop after this `time`, such as 30s (default: no limit)")
	cmd.Flags().StringVar(&out, "out", "", "the `file` to create (default: standard output)")
	cmd.Flags().IntVar(&pid, "pid", 0, "the process `id` of the gateway")
	cmd.Flags().StringVar(&pidFile, "pid-file", "", "a `file` with the process id, as written by the setting pid_file")
	return cmd
}

// captureTo writes the capture to the file out, or to standard output. If it is interrupted, it keeps what has been
// written.
func captureTo(cmd *cobra.Command, pid int, args captureArgs, out string) (err error) {
	to := cmd.OutOrStdout()
	if out != "" {
		file, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("creating the capture: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		to = file
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	wrote := false
	outcome, err := control.Ask(ctx, pid, captureRequest, args, control.Answers{
		Progress: func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), text) },
		Data: func(b []byte) error {
			wrote = true
			_, err := to.Write(b)
			return err
		},
		Patient: true,
	})
	if err == nil {
		fmt.Fprintln(cmd.ErrOrStderr(), outcome)
		return nil
	}
	if !wrote && out != "" {
		err = errors.Join(err, os.Remove(out))
	}
	if refused := (control.AnswerError{}); errors.As(err, &refused) {
		return fmt.Errorf("capturing connections of process %d: %w", pid, err)
	}
	return err
}

// capture handles a request to capture connections.
func (g *running) capture(r *control.Request) {
	var args captureArgs
	if err := r.Args(&args); err != nil {
		r.Failed(fmt.Errorf("reading the request: %w", err))
		return
	}
	point, err := g.service.Point(args.Listener)
	if err != nil {
		r.Failed(err)
		return
	}
	ctx := r.Context()
	if args.For > 0 {
		timed, cancel := context.WithTimeout(ctx, args.For)
		defer cancel()
		ctx = timed
	}
	g.log.Info("capturing connections", "listener", args.Listener, "connections", args.Connections, "for",
		args.For.String())
	summary, err := point.Capture(ctx, r, max(args.Connections, 0), func() {
		r.Progress(fmt.Sprintf("waiting for new connections of listener %s", args.Listener))
	})
	g.log.Info("captured connections", "listener", args.Listener, "connections", summary.Connections, "bytes",
		summary.Bytes)
	if err != nil {
		r.Failed(err)
		return
	}
	if now, err := g.service.Point(args.Listener); err != nil || now != point {
		r.Failed(fmt.Errorf("listener %s was changed or closed, which ended the capture: captured %v", args.Listener,
			summary))
		return
	}
	r.Done(fmt.Sprintf("captured %v", summary))
}
