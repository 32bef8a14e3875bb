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
		Short: "A protocol gateway: devices of any protocol on one side, an MQTT broker on the other",
		Long: `exgate listens for devices and connects each to an MQTT broker. What the devices speak is decided by a handler for each
listener: a WebAssembly module, or a gRPC service that speaks ExProto as handlers of EMQX do.

Exit codes of every command: 0 where it did what was asked, 1 where something failed or was found wrong, 2 where the command line or the
configuration is wrong.`,
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
		return usageError{fmt.Errorf("%w (%s --help tells more)", err, cmd.CommandPath())}
	})
	root.AddCommand(newRun(), newConfig(), newDoctor(), newModule(), newUpgrade(), newCapture(), newSpool(), newPub(), newSub(), newVersion())
	return root
}

// subcommandOnly refuses words that are no subcommand.
func subcommandOnly(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	hint := fmt.Sprintf("%s --help lists the commands", cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("did you mean %q?", near[0])
	}
	return usageError{fmt.Errorf("unknown command %q, %s", args[0], hint)}
}

// arguments makes what check refuses a usage error.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{fmt.Errorf("%w: %s", err, cmd.UseLine())}
		}
		return nil
	}
}
