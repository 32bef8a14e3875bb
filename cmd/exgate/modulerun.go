package main

import (
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
		Use:   "run FILE.wasm",
		Short: "Try a module by hand: each line is what its device sends",
		Long: `Runs a module in a gateway with one device and a broker, all inside this process. Each line of the standard input is what the device sends, with its line end, and
everything that follows is printed:

  + and -   the connection's beginning and end
  >         bytes of the device
  <         bytes for the device
  indented  what the module calls and logs, results, messages

The broker takes every client; what is published comes back to who subscribed. Lines that begin with / are commands:

` + indented(module.Commands) + `

The exit code is 1 where a connection ended because of the module, such as a trap.`,
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
			return module.Run(cmd.Context(), s, cmd.InOrStdin(), cmd.OutOrStdout(), o)
		},
	}
	guest.add(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&o.Hex, "hex", false, "the device's lines, and what is printed, are hexadecimal digits")
	flags.StringVar(&o.Socket, "socket", "tcp", "what the device comes over: tcp, ssl, udp or dtls")
	flags.StringVar(&o.Record, "record", "", "a file that becomes a capture of it all, for module replay; passwords are kept as they are typed")
	flags.StringArrayVar(&o.Refuse, "refuse", nil, "a call whose result is a refusal: "+strings.Join(answered, ", ")+"; may be given more than once")
	flags.StringArrayVar(&o.Limit, "limit", nil, "a call that returns LIMIT at once: those, or start_timer; may be given more than once")
	return cmd
}

// answered are the calls that the broker answers.
var answered = []string{"authenticate", "publish", "subscribe", "unsubscribe"}

func checkRunOptions(o module.RunOptions) error {
	for _, call := range o.Refuse {
		if !slices.Contains(answered, call) {
			return usageError{fmt.Errorf("--refuse takes %s, not %q", strings.Join(answered, ", "), call)}
		}
	}
	for _, call := range o.Limit {
		if call != "start_timer" && !slices.Contains(answered, call) {
			return usageError{fmt.Errorf("--limit takes start_timer, %s, not %q", strings.Join(answered, ", "), call)}
		}
	}
	if !slices.Contains([]string{"tcp", "ssl", "udp", "dtls"}, o.Socket) {
		return usageError{fmt.Errorf("--socket must be tcp, ssl, udp or dtls, not %q", o.Socket)}
	}
	return nil
}

func indented(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }
