package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/module"
	"github.com/exgate/exgate/hostabi/conformance"
	"github.com/exgate/exgate/internal/boundedfile"
)

var errNotAGuest = errors.New("the module cannot be used: each line above that begins with fail says why")

func newModuleCheck() *cobra.Command {
	var guest guestFlags
	var samples, only []string
	var format string
	cmd := &cobra.Command{
		Use:   "check FILE.wasm|FILE.js",
		Short: "Describe a module and run it through the conformance kit",
		Long: `Prints what a module declares (exports, imports, WASI functions, memory, digest, how it starts), and runs
it in the gateway's engine through everything that can happen: empty, huge and random input, input byte by byte,
messages of every size, refused calls, unknown events, thousands of connections. These checks do not depend on the
protocol; with --sample they reach more of the module's code.

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

const maxBenchSize = 16 << 20

func newModuleBench() *cobra.Command {
	var guest guestFlags
	var files []string
	var size int
	var duration time.Duration
	var format string
	cmd := &cobra.Command{
		Use:   "bench FILE.wasm|FILE.js",
		Short: "Measure the time, fuel and memory of a module",
		Long: `Measures a module in the gateway's engine, on one instance and without sockets: the time and fuel of an
event, the time to start an instance, and its memory. By default a device sends lines of letters. With --sample it sends
the connections of a capture one after another, or the given files in order before it disconnects and connects again; a
single file is sent repeatedly by the same device. Every call of the module succeeds.

A gateway runs as many instances as there are processors (isolation: shared), or one per connection.`,
		Example: `  exgate module bench meter.wasm
  exgate module bench meter.wasm --size 1024 --for 10s
  exgate module bench meter.wasm --sample login.bin --sample report.bin --format json
  exgate module bench meter.wasm --sample traffic.exgc`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			show, ok := map[string]func(io.Writer, module.Measurement) error{
				"text": module.PrintBenchText,
				"json": module.PrintBenchJSON,
			}[format]
			if !ok {
				return usageError{fmt.Errorf("--format must be text or json, not %q", format)}
			}
			if size < 1 || size > maxBenchSize || duration <= 0 {
				return usageError{fmt.Errorf("--size must be from 1 to %d, and --for must be above 0", maxBenchSize)}
			}
			s, err := guest.open(args[0])
			if err != nil {
				return err
			}
			sessions, err := readSamples(files, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if sessions == nil {
				sessions = []module.Session{{append(bytes.Repeat([]byte("a"), size-1), '\n')}}
			}
			return bench(cmd, s, module.BenchOptions{Sessions: module.InOrder(sessions), For: duration}, show)
		},
	}
	guest.add(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&files, "sample", nil,
		"a capture (.exgc), or a file that the device sends in one piece; may be repeated")
	flags.IntVar(&size, "size", 64, "the length of the lines, without --sample")
	flags.DurationVar(&duration, "for", 3*time.Second, "how long to measure")
	flags.StringVar(&format, "format", "text", "text or json")
	return cmd
}

func bench(cmd *cobra.Command, s *module.Subject, o module.BenchOptions,
	show func(io.Writer, module.Measurement) error,
) error {
	o.Progress = progress(cmd.ErrOrStderr())
	m, err := module.Bench(cmd.Context(), s, o)
	o.Progress("")
	if err != nil {
		return err
	}
	return show(cmd.OutOrStdout(), m)
}

// readSamples reads what devices send. It reports masked passwords to notes.
func readSamples(files []string, notes io.Writer) (sessions []module.Session, err error) {
	for _, file := range files {
		b, err := boundedfile.Read(file, module.MaxSample)
		if err != nil {
			return nil, usageError{fmt.Errorf("reading --sample: %w", err)}
		}
		more, covered, err := module.Sessions(b)
		if err != nil {
			return nil, usageError{fmt.Errorf("reading --sample %s: %w", file, err)}
		}
		if covered > 0 {
			fmt.Fprintf(notes, "%s: %d of %d connections contain a masked password; modules that verify it, or a "+
				"checksum over it, reject them\n", file, covered, len(more))
		}
		sessions = append(sessions, more...)
	}
	return sessions, nil
}
