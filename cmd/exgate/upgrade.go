package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/exgate/exgate/cmd/exgate/internal/upgrade"
)

func newUpgrade() *cobra.Command {
	var pid int
	var file string
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Replace a running gateway with a new process without refusing a connection",
		Long: `Replaces a running gateway with a new process. The gateway starts its program again: the file that is now
at the same path, with the same arguments and the current configuration file. The new process inherits the listening
sockets and takes over once it is ready. If it fails to start, the old process continues and this command prints the
reason.

Devices over TCP and TLS stay with the old process until they disconnect, at most for upgrade_timeout; all others
reconnect. kill -USR2 does the same, and logs the outcome.`,
		Example: `  exgate upgrade --pid 4711
  exgate upgrade --pid-file /run/exgate/exgate.pid`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			pid, err := processNumber(cmd, pid, file)
			if err != nil {
				return err
			}
			outcome, err := upgrade.Ask(cmd.Context(), pid, func(step string) { fmt.Fprintln(cmd.OutOrStdout(), step) })
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), outcome)
			}
			return err
		},
	}
	cmd.Flags().IntVar(&pid, "pid", 0, "the process `id` of the gateway")
	cmd.Flags().StringVar(&file, "pid-file", "", "a `file` with the process id, as written by the setting pid_file")
	return cmd
}

func processNumber(cmd *cobra.Command, pid int, file string) (int, error) {
	switch byNumber := cmd.Flags().Changed("pid"); {
	case byNumber && file == "":
		return pid, nil
	case !byNumber && file != "":
		return upgrade.ReadPIDFile(file)
	}
	return 0, usageError{fmt.Errorf("either --pid or --pid-file is required; see %s --help",
		cmd.CommandPath())}
}
