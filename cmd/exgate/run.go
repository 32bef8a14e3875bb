package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/upgrade"
	"github.com/exgate/exgate/runtime/listener"
)

func newRun() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the gateway",
		Long: `Runs the gateway until SIGTERM or SIGINT. Devices then have shutdown_timeout to end; a second signal ends everything at once. The same
signal again within 100 ms counts as one: supervisors and shells often deliver it twice. SIGUSR2, or exgate upgrade, starts the program anew, and
the new process takes over the listening sockets. SIGHUP is logged and ignored: a changed configuration needs an upgrade or a restart. SIGQUIT
prints the stacks of all goroutines and exits.

A setting is looked for in the file, then in the environment (log.level is EXGATE_LOG__LEVEL), then in the flags (--set log.level=debug); the last one
wins. An empty variable counts as not set. Where no listener is configured there is the demo: a line protocol at 127.0.0.1:7993. exgate config default
prints every setting. The file may be a pipe, as in -c <(command), which an upgrade cannot read again.

What exgate listens at is printed on the standard output, logs go to the standard error output.

Exit codes: 0 after SIGTERM or SIGINT, 1 where something failed while running or a second signal cut devices off, 2 where the command line or the
configuration is wrong; a port in use and a file that cannot be read count as configuration.`,
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
				err = run(cmd, &running{cfg: cfg, program: program}, received, predecessor, inherited)
			}
			predecessor.Failed(err)
			return err
		},
	}
	addConfigFlags(cmd, &file)
	return cmd
}

// run runs the gateway of g.cfg until a signal, or until another process has its sockets.
func run(cmd *cobra.Command, g *running, received *processSignals, predecessor *upgrade.Predecessor, inherited []listener.SocketFile) error {
	g.signals, g.log = received.asked, newLogger(g.cfg.Log, os.Stderr)
	slog.SetDefault(g.log)
	received.receiveStops()
	received.pass(g.log)
	defer received.stop()

	for _, warning := range g.cfg.Warnings() {
		g.log.Warn("the configuration is probably not meant so", "where", warning.Where, "setting", warning.Key, "warning", warning.Text)
	}
	if err := g.start(cmd.Context(), predecessor, inherited); err != nil {
		return err
	}
	printSockets(cmd.OutOrStdout(), g.service.Sockets())
	printUpstream(cmd.Context(), cmd.OutOrStdout(), g)
	if demo, ok := g.cfg.Listeners["demo"]; ok && demo.Handler.Wasm == config.Builtin+"line" && demo.Kind() == "tcp" && !demo.Unix() {
		printDemo(cmd.OutOrStdout(), g.service.Sockets(), g.cfg.Upstream.FirstURL())
	}
	fmt.Fprintln(cmd.OutOrStdout(), "Ctrl-C stops it.")
	g.log.Info("started", "version", versionText(), "node", g.cfg.Node, "pid", os.Getpid())
	return g.untilEnded()
}
