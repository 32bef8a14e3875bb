package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/control"
	"github.com/exgate/exgate/cmd/exgate/internal/service"
)

// reloadRequest names the control request that reads the configuration again.
const reloadRequest = "reload"

// reloadArgs are its arguments.
type reloadArgs struct {
	DryRun bool `json:"dry_run"`
}

func newReload() *cobra.Command {
	var pid int
	var file string
	var args reloadArgs
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Apply a changed configuration to a running gateway",
		Long: `Makes a running gateway read its configuration again, from the same file, environment and flags, and
prints what changes. Listeners, with their handlers, limits, access lists and certificates, are added, changed and
removed; all others keep their sockets and devices. New settings of a listener are for its new connections: devices
that are connected keep the old ones until they reconnect. Devices must reconnect only if their listener is removed, or
if the socket of a UDP or DTLS listener is set up again; --dry-run says how many before anything is done.

If anything is wrong, nothing changes, and every mistake is printed with its file and line. What only a new process can
use, such as upstream.url, is refused: see exgate upgrade. kill -HUP does the same, and logs the outcome.`,
		Example: `  exgate reload --pid-file /run/exgate/exgate.pid --dry-run
  exgate reload --pid 4711`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			pid, err := processNumber(cmd, pid, file)
			if err != nil {
				return err
			}
			outcome, err := control.Ask(cmd.Context(), pid, reloadRequest, args, control.Answers{})
			switch refused := (control.AnswerError{}); {
			case errors.Is(err, errors.ErrUnsupported):
				return fmt.Errorf("exgate reload needs Linux: here, run kill -HUP %d and read the log of that process",
					pid)
			case errors.As(err, &refused):
				return fmt.Errorf("process %d keeps its configuration:\n%w", pid, err)
			case err != nil:
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), outcome)
			return nil
		},
	}
	cmd.Flags().IntVar(&pid, "pid", 0, "the process `id` of the gateway")
	cmd.Flags().StringVar(&file, "pid-file", "", "a `file` with the process id, as written by the setting pid_file")
	cmd.Flags().BoolVar(&args.DryRun, "dry-run", false, "only print what would change")
	return cmd
}

// reload applies a changed configuration, and answers the request, if any.
func (g *running) reload(request *control.Request) {
	var args reloadArgs
	if request != nil {
		if err := request.Args(&args); err != nil {
			request.Failed(err)
			return
		}
	}
	plan, err := g.plan()
	if err == nil && !args.DryRun {
		err = g.apply(plan)
	}
	if err != nil {
		if !args.DryRun {
			g.log.Error("cannot use the changed configuration; nothing has changed", "error", err)
		}
		request.Failed(err)
		return
	}
	request.Done(describePlan(plan, args.DryRun))
}

// errNoListeners refuses what is most likely a file that is cut off: every device would have to leave, and the demo
// would start.
var errNoListeners = errors.New("the configuration has no section listeners any more; write listeners: {} to close all")

// plan reads the configuration again.
func (g *running) plan() (service.Plan, error) {
	next, err := g.load()
	if err != nil {
		return service.Plan{}, err
	}
	if g.cfg.HasListeners() && !next.HasListeners() {
		return service.Plan{}, errNoListeners
	}
	return g.service.Plan(next)
}

// applyTimeout bounds the preparation of a changed configuration: modules are compiled.
const applyTimeout = readyTimeout

func (g *running) apply(plan service.Plan) error {
	ctx, cancel := context.WithTimeout(context.Background(), applyTimeout)
	defer cancel()
	if err := g.service.Apply(ctx, plan); err != nil {
		return err
	}
	g.cfg = plan.Next
	setLevel(&g.level, g.cfg.Log)
	g.warn(g.cfg)
	for _, change := range plan.Changes {
		g.log.Info("configuration changed", "change", change.String())
	}
	if len(plan.Changes) == 0 {
		g.log.Info("the configuration is read again: nothing has changed")
	}
	return nil
}

// warn logs the settings that are probably not meant.
func (g *running) warn(cfg *config.Config) {
	for _, warning := range cfg.Warnings() {
		g.log.Warn("check this setting: it is probably not what you meant", "where", warning.Where, "setting",
			warning.Key, "warning", warning.Text)
	}
}

func describePlan(plan service.Plan, dryRun bool) string {
	if len(plan.Changes) == 0 {
		return "nothing has changed"
	}
	var lines []string
	for _, change := range plan.Changes {
		lines = append(lines, change.String())
	}
	if dryRun {
		lines = append(lines, "nothing was done (--dry-run)")
	}
	return strings.Join(lines, "\n")
}
