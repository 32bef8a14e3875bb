package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// usageError is a mistake in the command line.
type usageError struct{ error }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "exgate",
		Short: "A protocol gateway between devices of any protocol and an MQTT broker",
		Long: `exgate accepts connections from devices and connects each device to an MQTT broker. Each listener has a
handler that implements the protocol of its devices: a WebAssembly module, or a gRPC service that speaks ExProto, like
EMQX's handlers.

Exit codes: 0 on success, 1 if something failed or a check found a problem, 2 if the command line or the configuration
is invalid.`,
		Example: `  # try it: a line protocol on port 7993 and a broker on port 1883, both inside exgate
  exgate run
  nc 127.0.0.1 7993
  exgate sub 'demo/#'

  # write a configuration, change it, check it, run it
  exgate config default > exgate.yaml
  exgate config check -c exgate.yaml
  exgate run -c exgate.yaml`,
		Args:          subcommandOnly,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(newRun(), newConfig(), newDoctor(), newModule(), newReload(), newUpgrade(), newCapture(),
		newSpool(), newPub(), newSub(), newVersion())
	return root
}

// subcommandOnly rejects words that are not subcommands.
func subcommandOnly(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	hint := fmt.Sprintf("see %s --help", cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("did you mean %q?", near[0])
	}
	return usageError{fmt.Errorf("unknown command %q; %s", args[0], hint)}
}

// arguments turns errors of check into usage errors.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{fmt.Errorf("%w: %s", err, cmd.UseLine())}
		}
		return nil
	}
}
