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

var errNotAGuest = errors.New("the module cannot be used: each line above that begins with fail says why")

func newModuleCheck() *cobra.Command {
	var guest guestFlags
	var samples, only []string
	var format string
	cmd := &cobra.Command{
		Use:   "check FILE.wasm",
		Short: "Describe a module and run it through the conformance kit",
		Long: `Prints what a module declares (exports, imports, WASI functions, memory, digest, how it starts), and runs
it in the gateway's engine with everything that can happen: empty, huge and random input, input byte by byte, messages
of every size, refused calls, unknown events, thousands of connections. These checks do not depend on the protocol; with
--sample they reach more of the module's code.

Each check is a line that begins with pass, warn (it may be intended) or fail. The exit code is 0 if nothing failed, 1
if something did, and 2 if the file cannot be read.`,
		Example: `  exgate module check meter.wasm
  exgate module check meter.wasm --memory-pages 1024    # written in Go
  exgate module check meter.wasm --config @meter.json --sample login.bin --sample report.bin
  exgate module check meter.wasm --format json`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			show, ok := map[string]func(io.Writer, module.Examination) error{
				"text": module.PrintText,
				"json": module.PrintJSON,
			}[format]
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
	cmd.Flags().StringArrayVar(&samples, "sample", nil,
		"a file that a device sends, or a capture (.exgc); may be repeated")
	cmd.Flags().StringSliceVar(&only, "only", nil,
		"run only these checks, such as bytes_random; general rules are always checked")
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	return cmd
}

// checkOnly rejects unknown check names: a misspelt check would not run, and so would not fail.
func checkOnly(only []string) error {
	names := append([]string{"module"}, conformance.Names()...)
	for _, name := range only {
		if slices.Contains(names, name) {
			continue
		}
		if near := config.Nearest(name, names); near != "" {
			return usageError{fmt.Errorf("--only: unknown check %q; did you mean %q?", name, near)}
		}
		return usageError{fmt.Errorf("--only: unknown check %q; the checks are %s", name, strings.Join(names, ", "))}
	}
	return nil
}

func check(cmd *cobra.Command, s *module.Subject, samples, only []string,
	show func(io.Writer, module.Examination) error,
) error {
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

// progress shows the current step on one line of a terminal. An empty step clears the line.
func progress(w io.Writer) func(what string) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func(string) {}
	}
	return func(what string) { fmt.Fprintf(f, "\r\x1b[K%s", what) }
}
