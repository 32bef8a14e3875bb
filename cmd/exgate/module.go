package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/module"
	"github.com/exgate/exgate/runtime/wasm"
)

func newModule() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "module",
		Short: "Create, check, run, replay and measure modules and scripts",
		Long: `Tools for writing protocols as modules: create one, check it, try it by hand, test it with recorded
traffic and measure it, without a device, a broker or a running gateway.`,
		Example: `  exgate module init --lang go meter
  exgate module check meter.wasm
  exgate module run meter.wasm
  exgate module replay meter.wasm traffic.exgc
  exgate module bench meter.wasm
  exgate module manifest meter.wasm --set exgate.json`,
		Args: subcommandOnly,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newModuleInit(), newModuleCheck(), newModuleRun(), newModuleReplay(), newModuleBench(),
		newModuleManifest())
	return cmd
}

// guestFlags holds the flags of every command that runs a module.
type guestFlags struct {
	config  string
	framing string
	limits  wasm.Limits
}

func (g *guestFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&g.config, "config", "", "the module's configuration, or @FILE to read it from a file")
	flags.StringVar(&g.framing, "framing", "", "framing of a script, such as lines; see docs/javascript.md")
	flags.Uint32Var(&g.limits.MemoryPages, "memory-pages", 0,
		"limits.memory_pages: maximum memory in pages of 64 KiB (default: 256)")
	flags.Uint32Var(&g.limits.Fuel, "fuel", 0, "limits.fuel: maximum fuel of an event (default: 2000000)")
	flags.DurationVar(&g.limits.WallTime, "wall-time", 0,
		"limits.wall_time: maximum processor time of an event, for modules that are not metered (default: 1s)")
}

// open reads a module. Settings that the command line does not set are read from the NAME.yaml next to it, as in the
// gateway.
func (g *guestFlags) open(path string) (*module.Subject, error) {
	beside, err := besideModule(path)
	if err != nil {
		return nil, err
	}
	settings, limits := cmp.Or(g.config, beside.Config), beside.Limits.Guest()
	limits.MemoryPages = cmp.Or(g.limits.MemoryPages, limits.MemoryPages)
	limits.Fuel = cmp.Or(g.limits.Fuel, limits.Fuel)
	limits.WallTime = cmp.Or(g.limits.WallTime, limits.WallTime)
	s, err := module.Open(path, settings, cmp.Or(g.framing, beside.Framing), limits)
	if err != nil {
		return nil, usageError{err}
	}
	return s, nil
}

// besideModule reads the NAME.yaml next to NAME.wasm or NAME.js, if it exists.
func besideModule(path string) (*config.Module, error) {
	ending := filepath.Ext(path)
	base := strings.TrimSuffix(path, ending)
	file := base + config.ModuleSettings
	if _, err := os.Stat(file); err != nil || ending != config.ModuleFile && ending != config.ScriptFile {
		return &config.Module{}, nil
	}
	return config.LoadModule(file, filepath.Base(base))
}

func newModuleInit() *cobra.Command {
	var lang, parent string
	languages := strings.Join(module.Languages(), ", ")
	cmd := &cobra.Command{
		Use:   "init --lang LANGUAGE NAME",
		Short: "Create a folder with a working module, its test and its SDK",
		Long: `Creates the folder NAME with a module that implements a small text protocol: login, messages up and down.
The folder contains a test that runs without a gateway, a build script and the SDK, so that you need only the language's
own tools and no network. A script in JavaScript (js) needs neither.`,
		Example: `  exgate module init --lang go meter
  exgate module init --lang c --in ~/protocols meter
  exgate module init --lang js meter`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if lang == "" {
				return usageError{fmt.Errorf("--lang is required: one of %s", languages)}
			}
			folder, err := module.Init(parent, args[0], lang)
			if errors.Is(err, module.ErrLanguage) || errors.Is(err, module.ErrName) ||
				errors.Is(err, module.ErrFolder) {
				return usageError{err}
			}
			if err != nil {
				return err
			}
			file, built := module.FileOf(args[0], lang)
			what, build := "try", ""
			if built {
				what, build = "build and try", "  ./build.sh\n"
			}
			fmt.Fprintf(cmd.OutOrStdout(),
				"Created %[1]s. See README.md in it for what to do next. To %[2]s the module:\n\n"+
					"  cd %[1]s\n%[3]s  exgate module check %[4]s\n  exgate module run %[4]s\n",
				folder, what, build, file)
			return nil
		},
	}
	cmd.Flags().StringVar(&lang, "lang", "", "the language: "+languages)
	cmd.Flags().StringVar(&parent, "in", ".", "the folder to create it in")
	return cmd
}
