package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/exgate/exgate/cmd/exgate/internal/module"
)

func newModuleRun() *cobra.Command {
	var guest guestFlags
	var o module.RunOptions
	cmd := &cobra.Command{
		Use:   "run FILE.wasm|FILE.js",
		Short: "Run a module by hand: the device sends each line of input",
		Long: `Runs a module in a gateway with one device and a broker, all inside this process. The device sends
each line of standard input, including the line end, and everything that happens is printed:

  + and -   the connection begins and ends
  >         bytes from the device
  <         bytes to the device
  indented  calls and logs of the module, results, messages

The broker accepts every client, and delivers publishes to their subscribers. Lines that begin with / are commands:

` + indented(module.Commands) + `

The exit code is 1 if a connection ended because of the module, such as a trap.`,
		Example: `  exgate module run line.wasm
  exgate module run meter.wasm --hex < login.hex
  exgate module run meter.wasm --record login.exgc < login.txt
  exgate module run line.wasm --refuse authenticate --config @line.json`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkRunOptions(o); err != nil {
				return err
			}
			s, err := guest.open(args[0])
			if err != nil {
				return err
			}
			o.Summary = cmd.ErrOrStderr()
			return module.Run(cmd.Context(), s, cmd.InOrStdin(), cmd.OutOrStdout(), o)
		},
	}
	guest.add(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&o.Hex, "hex", false, "read and print bytes as hexadecimal digits")
	flags.StringVar(&o.Socket, "socket", "tcp", "the transport of the device: tcp, ssl, udp or dtls")
	flags.StringVar(&o.Record, "record", "",
		"write a capture to this file, for module replay; passwords are not masked")
	flags.StringArrayVar(&o.Refuse, "refuse", nil,
		"refuse this call: "+strings.Join(answered, ", ")+"; may be repeated")
	flags.StringArrayVar(&o.Limit, "limit", nil,
		"return LIMIT from this call: start_timer, set_timer, "+strings.Join(answered, ", ")+"; may be repeated")
	return cmd
}

// answered lists the calls that the broker answers.
var answered = []string{"authenticate", "publish", "subscribe", "unsubscribe"}

func checkRunOptions(o module.RunOptions) error {
	for _, call := range o.Refuse {
		if !slices.Contains(answered, call) {
			return usageError{fmt.Errorf("--refuse takes %s, not %q", strings.Join(answered, ", "), call)}
		}
	}
	for _, call := range o.Limit {
		if call != "start_timer" && call != "set_timer" && !slices.Contains(answered, call) {
			return usageError{fmt.Errorf("--limit takes start_timer, set_timer, %s, not %q",
				strings.Join(answered, ", "), call)}
		}
	}
	if !slices.Contains([]string{"tcp", "ssl", "udp", "dtls"}, o.Socket) {
		return usageError{fmt.Errorf("--socket must be tcp, ssl, udp or dtls, not %q", o.Socket)}
	}
	return nil
}

func indented(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }

func newModuleReplay() *cobra.Command {
	var guest guestFlags
	var o module.ReplayOptions
	cmd := &cobra.Command{
		Use:   "replay FILE.wasm|FILE.js CAPTURE.exgc",
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
