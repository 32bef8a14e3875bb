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
		Short: "Play recorded traffic to a module and compare what it does",
		Long: `Plays every event of a capture to a module, answers its calls as they were answered in the capture, and
compares the calls with those of the recorded handler, or with a golden file that --update has written. Calls are
compared per connection and in order; times, and how a stream is split into sends, are not compared.

Captures come from exgate capture, from the setting capture of a listener, or from module run --record. The exit code is
0 if all calls are the same, and 1 if they differ. Differences are printed: lines that begin with - are missing, lines
that begin with + are new.`,
		Example: `  exgate module replay meter.wasm traffic.exgc
  exgate module replay meter.wasm traffic.exgc --golden traffic.golden --update
  exgate module replay meter.wasm traffic.exgc --golden traffic.golden`,
		Args: arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Update && o.Golden == "" {
				return usageError{errors.New("--update needs --golden")}
			}
			s, err := guest.open(args[0])
			if err != nil {
				return err
			}
			return module.Replay(cmd.Context(), s, args[1], cmd.OutOrStdout(), o)
		},
	}
	guest.add(cmd)
	cmd.Flags().StringVar(&o.Golden, "golden", "", "a `file` with the expected calls")
	cmd.Flags().BoolVar(&o.Update, "update", false, "write the golden file instead of comparing")
	return cmd
}
