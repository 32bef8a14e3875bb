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
		Short: "Replace a running gateway by a new process, without refusing a connection",
		Long: `Asks a running gateway to start its program anew, as it is now at the same path, with the same arguments and whatever its configuration file
says by now. The new process gets the listening sockets, says when it could take over, and does. If it cannot, the old one goes on and this command says why.

Devices over TCP and TLS stay with the old process until they end, at most upgrade_timeout, and all others connect again. kill -USR2 does the same and
leaves the outcome in the log.`,
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
	cmd.Flags().IntVar(&pid, "pid", 0, "the `number` of the process to replace")
	cmd.Flags().StringVar(&file, "pid-file", "", "the `file` that has the number, pid_file of the configuration")
	return cmd
}

func processNumber(cmd *cobra.Command, pid int, file string) (int, error) {
	switch byNumber := cmd.Flags().Changed("pid"); {
	case byNumber && file == "":
		return pid, nil
	case !byNumber && file != "":
		return upgrade.ReadPIDFile(file)
	}
	return 0, usageError{fmt.Errorf("which process? Say either --pid or --pid-file (%s --help tells more)", cmd.CommandPath())}
}
