package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/service"
)

func newRun() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the gateway",
		Long: `Runs the gateway until SIGTERM or SIGINT. Devices then have shutdown_timeout to end; a second signal ends everything at once.

A setting is looked for in the file, then in the environment (log.level is EXGATE_LOG__LEVEL), then in the flags (--set log.level=debug); the last one
wins. Without listeners in a file there is the demo: a line protocol on port 7993. exgate config default prints every setting.

What exgate listens at is printed on the standard output, logs go to the standard error output.`,
		Example: `  exgate run
  exgate run -c exgate.yaml
  exgate run --log-level debug --set listeners.demo.bind=127.0.0.1:8000
  EXGATE_UPSTREAM__URL=mqtt://broker.example:1883 exgate run -c exgate.yaml`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd, file)
			if err != nil {
				return err
			}
			return run(cmd, cfg)
		},
	}
	addConfigFlags(cmd, &file)
	return cmd
}

// run runs the gateway of cfg until a signal.
func run(cmd *cobra.Command, cfg *config.Config) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)

	log := newLogger(cfg.Log, os.Stderr)
	slog.SetDefault(log)
	s, err := service.Start(cmd.Context(), cfg, log)
	if err != nil {
		return err
	}
	printSockets(cmd.OutOrStdout(), s.Sockets())
	if demo, ok := cfg.Listeners["demo"]; ok && demo.Handler.Wasm == config.Builtin+"line" {
		printDemo(cmd.OutOrStdout(), s.Sockets(), cfg.Upstream.URL)
	}
	fmt.Fprintln(cmd.OutOrStdout(), "Ctrl-C stops it.")
	log.Info("started", "version", versionText(), "node", cfg.Node)
	received := <-signals
	log.Info("stopping", "signal", received.String(), "timeout", cfg.ShutdownTimeout.String())
	return stop(s, cfg, log, signals)
}

var errStoppedAtOnce = errors.New("stopped at once by a second signal; devices were cut off")

// stop gives devices the configured time to end, or less where another signal comes.
func stop(s *service.Service, cfg *config.Config, log *slog.Logger, signals <-chan os.Signal) error {
	ctx, cancel := context.WithTimeout(context.Background(), cfg.ShutdownTimeout)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(ctx) }()
	select {
	case err := <-stopped:
		if err != nil {
			log.Warn("not everything ended in time", "error", err)
		}
		log.Info("stopped")
		return nil
	case received := <-signals:
		return fmt.Errorf("%w (%s)", errStoppedAtOnce, received)
	}
}
