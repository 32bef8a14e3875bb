package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/service"
)

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the default configuration, check a configuration, or import one from EMQX",
		Example: `  exgate config default > exgate.yaml
  exgate config check -c exgate.yaml
  exgate config import emqx.conf -o exgate.yaml`,
		Args: subcommandOnly,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigDefault(), newConfigCheck(), newConfigImport())
	return cmd
}

func newConfigDefault() *cobra.Command {
	return &cobra.Command{
		Use:     "default",
		Short:   "Print the commented default configuration",
		Example: "  exgate config default > exgate.yaml",
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(config.Default)
			return err
		},
	}
}

func newConfigCheck() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration and print everything that is wrong, one problem per line",
		Long: `Checks the configuration that run would use: the file, then the environment, then the flags. Prints
everything that is wrong, with the setting and the file and line, variable or flag that sets it. Modules are loaded and
started with their settings, and folders that the gateway writes to must be writable. No address is opened and no other
program is contacted: that is what exgate doctor does.

Settings that are valid but probably not what you meant are printed as warnings. The exit code is 0 if run would start
and 2 if it would not.`,
		Example: `  exgate config check -c exgate.yaml
  EXGATE_LOG__LEVEL=loud exgate config check`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd, file)
			if err != nil {
				return err
			}
			if problems := service.Check(cmd.Context(), cfg); len(problems) > 0 {
				return problems
			}
			for _, warning := range cfg.Warnings() {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: %v\n", warning)
			}
			if file == "" {
				file = "configuration"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: ok\n", file)
			return nil
		},
	}
	addConfigFlags(cmd, &file)
	return cmd
}

// addConfigFlags adds the flags that select and override the configuration.
func addConfigFlags(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", "", "configuration `file`")
	config.AddFlags(cmd.Flags())
}

func load(cmd *cobra.Command, file string) (*config.Config, error) {
	if file == "" && cmd.Flags().Changed("config") {
		return nil, usageError{fmt.Errorf("--config must name a file")}
	}
	return config.Load(config.Sources{File: file, Environ: os.Environ(), Flags: cmd.Flags()})
}

// loadAgain reads the configuration of a running gateway. A pipe cannot be read twice, and an empty file is one that is
// being written: as a configuration, it would end every listener.
func loadAgain(cmd *cobra.Command, file string) (*config.Config, error) {
	if file == "" {
		return load(cmd, file)
	}
	switch info, err := os.Stat(file); {
	case err != nil:
		return nil, fmt.Errorf("reading the configuration again: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file: the configuration cannot be read again; restart exgate to change it",
			file)
	case info.Size() == 0:
		return nil, fmt.Errorf("%s is empty", file)
	}
	return load(cmd, file)
}
