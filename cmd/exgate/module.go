package main

import (
	"cmp"
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
		Short: "Write, check, try, replay and measure a protocol as a WebAssembly module",
		Long: `The tools of people who teach exgate a protocol: from an empty folder to a module that was checked, tried by hand, proved on recorded traffic and
measured, without a device, a broker or a running gateway.`,
		Example: `  exgate module init --lang go meter
  exgate module check meter.wasm
  exgate module run meter.wasm
  exgate module replay meter.wasm traffic.exgc
  exgate module bench meter.wasm`,
		Args: subcommandOnly,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newModuleInit(), newModuleCheck(), newModuleRun(), newModuleReplay(), newModuleBench())
	return cmd
}

// guestFlags are the flags of everything that runs a module.
type guestFlags struct {
	config string
	limits wasm.Limits
}

func (g *guestFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&g.config, "config", "", "the module's configuration, or @ and the file that has it")
	flags.Uint32Var(&g.limits.MemoryPages, "memory-pages", 0, "limits.memory_pages: how large the memory may grow, in pages of 64 KiB (default: 256)")
	flags.Uint32Var(&g.limits.Fuel, "fuel", 0, "limits.fuel: what an event may spend (default: 2000000)")
	flags.DurationVar(&g.limits.WallTime, "wall-time", 0, "limits.wall_time: processor time of an event of a module that is not metered (default: 1s)")
}

// open reads the module that the command line names. What the command line does not say is taken from the settings beside it, as the
// gateway takes them.
func (g *guestFlags) open(path string) (*module.Subject, error) {
	beside, err := besideModule(path)
	if err != nil {
		return nil, err
	}
	settings, limits := cmp.Or(g.config, string(beside.GuestConfig)), beside.Limits
	limits.MemoryPages = cmp.Or(g.limits.MemoryPages, limits.MemoryPages)
	limits.Fuel = cmp.Or(g.limits.Fuel, limits.Fuel)
	limits.WallTime = cmp.Or(g.limits.WallTime, limits.WallTime)
	s, err := module.Open(path, settings, limits)
	if err != nil {
		return nil, usageError{err}
	}
	return s, nil
}

// besideModule reads NAME.yaml beside NAME.wasm, where there is one.
func besideModule(path string) (wasm.Config, error) {
	base, ok := strings.CutSuffix(path, config.ModuleFile)
	file := base + config.ModuleSettings
	if _, err := os.Stat(file); !ok || err != nil {
		return wasm.Config{}, nil
	}
	m, err := config.LoadModule(file, filepath.Base(base))
	if err != nil {
		return wasm.Config{}, err
	}
	return m.Guest(), nil
}
