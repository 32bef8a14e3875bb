package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/exgate/exgate/cmd/exgate/internal/module"
)

func newModuleReplay() *cobra.Command {
	var guest guestFlags
	var o module.ReplayOptions
	cmd := &cobra.Command{
		Use:   "replay FILE.wasm CAPTURE.exgc",
		Short: "Play recorded traffic again, and compare what the module does",
		Long: `Gives a module every event of a capture, answers its calls as they were answered then, and compares what it calls with what the recorded module called, or with
a file that says what it should: --golden, which --update writes. Connections are compared one by one, in the order of their calls; times, and in how many
pieces bytes are sent on a stream, are not looked at.

A capture comes from exgate capture, from the capture setting of a listener, or from module run --record. The exit code is 0 where all is the same, and 1
where something differs, which is printed: lines that begin with - are missing, those with + are new.`,
		Example: `  exgate module replay meter.wasm traffic.exgc
  exgate module replay meter.wasm traffic.exgc --golden traffic.golden --update
  exgate module replay meter.wasm traffic.exgc --golden traffic.golden`,
		Args: arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Update && o.Golden == "" {
				return usageError{errors.New("--update writes the file of --golden, which is missing")}
			}
			s, err := guest.open(args[0])
			if err != nil {
				return err
			}
			return module.Replay(cmd.Context(), s, args[1], cmd.OutOrStdout(), o)
		},
	}
	guest.add(cmd)
	cmd.Flags().StringVar(&o.Golden, "golden", "", "a file with what the module must do")
	cmd.Flags().BoolVar(&o.Update, "update", false, "write the file of --golden")
	return cmd
}
