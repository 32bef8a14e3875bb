package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/module"
	"github.com/exgate/exgate/hostabi/conformance"
)

var errNotAGuest = errors.New("the module is not fit for the gateway: each line above that begins with fail says why")

func newModuleCheck() *cobra.Command {
	var guest guestFlags
	var samples, only []string
	var format string
	cmd := &cobra.Command{
		Use:   "check FILE.wasm",
		Short: "Say everything about a module, and run it through the conformance kit",
		Long: `Prints what a module says of itself (exports, imports, what it asks of WASI, memory, digest, how it starts) and then runs it in the gateway's engine through
everything that can come its way: empty, huge and random bytes, bytes one at a time, messages of every size, refused calls, unknown events,
thousands of connections. A module passes whatever its protocol is; with --sample it is reached deeper.

Each check is a line that begins with pass, warn (look at it: it may be meant) or fail. The exit code is 0 where nothing failed, 1 where something did,
and 2 where the file cannot be read.`,
		Example: `  exgate module check meter.wasm
  exgate module check meter.wasm --memory-pages 1024    # written in Go
  exgate module check meter.wasm --config @meter.json --sample login.bin --sample report.bin
  exgate module check meter.wasm --format json`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			show, ok := map[string]func(io.Writer, module.Examination) error{"text": module.PrintText, "json": module.PrintJSON}[format]
			if !ok {
				return usageError{fmt.Errorf("--format must be text or json, not %q", format)}
			}
			if err := checkOnly(only); err != nil {
				return err
			}
			s, err := guest.open(args[0])
			if err != nil {
				return err
			}
			return check(cmd, s, samples, only, show)
		},
	}
	guest.add(cmd)
	cmd.Flags().StringArrayVar(&samples, "sample", nil, "a file with what a device sends, or a capture (.exgc); may be given more than once")
	cmd.Flags().StringSliceVar(&only, "only", nil, "the checks to run, by name, such as bytes_random; what holds for every event is looked at anyhow")
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	return cmd
}

// checkOnly refuses the names of checks that there are not: a check that is not run does not fail.
func checkOnly(only []string) error {
	names := append([]string{"module"}, conformance.Names()...)
	for _, name := range only {
		if slices.Contains(names, name) {
			continue
		}
		if near := config.Nearest(name, names); near != "" {
			return usageError{fmt.Errorf("--only: there is no check %q, did you mean %q?", name, near)}
		}
		return usageError{fmt.Errorf("--only: there is no check %q; there are %s", name, strings.Join(names, ", "))}
	}
	return nil
}

func check(cmd *cobra.Command, s *module.Subject, samples, only []string, show func(io.Writer, module.Examination) error) error {
	sessions, err := readSamples(samples, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	o := module.CheckOptions{Samples: module.Joined(sessions), Only: only}
	o.Progress = progress(cmd.ErrOrStderr())
	x, err := module.Check(cmd.Context(), s, o)
	o.Progress("")
	if err == nil {
		err = show(cmd.OutOrStdout(), x)
	}
	if err == nil && !x.OK {
		err = errNotAGuest
	}
	return err
}

// progress shows what is being done, on a line of a terminal that the next one replaces. "" takes the last one away.
func progress(w io.Writer) func(what string) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func(string) {}
	}
	return func(what string) { fmt.Fprintf(f, "\r\x1b[K%s", what) }
}
