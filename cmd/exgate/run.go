package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/upgrade"
	"github.com/exgate/exgate/runtime/listener/sockets"
)

func newRun() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the gateway",
		Long: `Runs the gateway until it receives SIGTERM or SIGINT. It then gives connections shutdown_timeout to end;
a second signal makes it exit at once. A signal repeated within 100 ms counts once, because supervisors and shells often
deliver it twice. SIGUSR2, like exgate upgrade, starts a new process that takes over the listening sockets. SIGHUP, like
exgate reload, applies a changed configuration without a new process. SIGQUIT prints the stacks of all goroutines and
exits.

Environment variables override the configuration file, and flags override both: log.level in the file is
EXGATE_LOG__LEVEL in the environment and --set log.level=debug on the command line. An empty variable counts as unset.
The file may be a pipe, as in -c <(command), but neither a reload nor an upgrade can read it again. Without any
listener, exgate runs a demo: a line protocol at 127.0.0.1:7993. To see the most common settings, run exgate config
default.

Addresses are printed to standard output, logs go to standard error.

Exit codes: 0 after SIGTERM or SIGINT, 1 if something failed while running or a second signal cut connections off, 2 if
the command line or the configuration is invalid, which includes a port in use or a file that cannot be read.`,
		Example: `  exgate run
  exgate run -c exgate.yaml
  exgate run --log-level debug --set listeners.demo.bind=127.0.0.1:8000
  EXGATE_UPSTREAM__URL=mqtt://broker.example:1883 exgate run -c exgate.yaml`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			received := receiveSignals()
			program, err := upgrade.ThisProgram()
			if err != nil {
				return err
			}
			predecessor, inherited, err := upgrade.Inherit()
			if err != nil {
				return err
			}
			cfg, err := load(cmd, file)
			if err == nil {
				g := &running{
					cfg: cfg, program: program,
					load: func() (*config.Config, error) { return loadAgain(cmd, file) },
				}
				err = run(cmd, g, received, predecessor, inherited)
			}
			predecessor.Failed(err)
			return err
		},
	}
	addConfigFlags(cmd, &file)
	return cmd
}

// run runs the gateway of g.cfg until a signal, or until another process has taken over.
func run(cmd *cobra.Command, g *running, received *processSignals, predecessor *upgrade.Predecessor,
	inherited []sockets.SocketFile,
) error {
	g.signals, g.hangups, g.log = received.asked, received.reload, newLogger(g.cfg.Log, &g.level, os.Stderr)
	slog.SetDefault(g.log)
	received.receiveStops()
	received.pass(g.log)
	defer received.stop()

	g.warn(g.cfg)
	if err := g.start(cmd.Context(), predecessor, inherited); err != nil {
		return err
	}
	printSockets(cmd.OutOrStdout(), g.service.Sockets())
	printUpstream(cmd.Context(), cmd.OutOrStdout(), g)
	if demo, ok := g.cfg.Listeners["demo"]; ok && demo.Handler.Wasm == config.Builtin+"line" && demo.Kind() == "tcp" &&
		!demo.Unix() {
		printDemo(cmd.OutOrStdout(), g.service.Sockets(), g.cfg.Upstream.FirstURL())
	}
	fmt.Fprintln(cmd.OutOrStdout(), "Press Ctrl-C to stop.")
	g.log.Info("started", "version", versionText(), "node", g.cfg.Node, "pid", os.Getpid())
	return g.untilEnded()
}
