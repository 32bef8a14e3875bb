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

// captureRequest is what a gateway is asked to capture connections with.
const captureRequest = "capture"

// captureArgs are the arguments of that request.
type captureArgs struct {
	Listener    string        `json:"listener"`
	Connections int           `json:"connections,omitempty"` // 0: any number
	For         time.Duration `json:"for,omitempty"`         // in ns; 0: until whoever asked goes
}

func newCapture() *cobra.Command {
	var args captureArgs
	var pid int
	var pidFile, out string
	cmd := &cobra.Command{
		Use:   "capture",
		Short: "Record what happens on connections of a running gateway",
		Long: `Asks a running gateway to record new connections of a listener: what their handler is told and what it calls, in the format .exgc, with
passwords covered. Connections that are there already are not recorded: a recording begins where its connection does.

It ends when --connections have been recorded to their end, after --for, or with Ctrl-C. Connections that are open then are cut off in the recording, and
go on. exgate module replay plays a recording again to a module.`,
		Example: `  exgate capture --pid-file /run/exgate/exgate.pid --listener demo --connections 3 --out demo.exgc
  exgate capture --pid 4711 --listener demo --for 30s > demo.exgc`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if args.Listener == "" || args.Connections < 0 || args.For < 0 {
				return usageError{errors.New("which listener? Say --listener NAME, and nothing negative (exgate capture --help tells more)")}
			}
			number, err := processNumber(cmd, pid, pidFile)
			if err != nil {
				return err
			}
			return captureTo(cmd, number, args, out)
		},
	}
	cmd.Flags().StringVar(&args.Listener, "listener", "", "the `name` of the listener")
	cmd.Flags().IntVar(&args.Connections, "connections", 0, "end after so `many` connections; 0 for any number")
	cmd.Flags().DurationVar(&args.For, "for", 0, "end after this `time`, such as 30s")
	cmd.Flags().StringVar(&out, "out", "", "the `file` to write, which must not be there yet; left out, the standard output")
	cmd.Flags().IntVar(&pid, "pid", 0, "the `number` of the process of the gateway")
	cmd.Flags().StringVar(&pidFile, "pid-file", "", "the `file` that has the number, pid_file of the configuration")
	return cmd
}

// captureTo writes the capture to the file out, or to the standard output. Interrupted, it keeps what there is.
func captureTo(cmd *cobra.Command, pid int, args captureArgs, out string) (err error) {
	to := cmd.OutOrStdout()
	if out != "" {
		file, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("making the capture: %w", err)
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

// capture carries out a request to capture connections.
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
	g.log.Info("capturing connections", "listener", args.Listener, "connections", args.Connections, "for", args.For.String())
	summary, err := point.Capture(ctx, r, max(args.Connections, 0), func() {
		r.Progress(fmt.Sprintf("waiting for new connections of listener %s", args.Listener))
	})
	g.log.Info("captured connections", "listener", args.Listener, "connections", summary.Connections, "bytes", summary.Bytes)
	if err != nil {
		r.Failed(err)
		return
	}
	r.Done(fmt.Sprintf("captured %v", summary))
}
