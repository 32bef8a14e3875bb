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
		Short: "Print the default configuration, check one, or make one of EMQX's",
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
		Short: "Check a configuration and print everything that is wrong, one thing a line",
		Long: `Checks the configuration as run would read it: the file, then the environment, then the flags. Prints everything that is wrong, each with the
file and line, the variable or the flag, and the setting. Modules are loaded and started with their settings, and folders that the gateway writes to
must be writable. No address is opened: exgate doctor looks at those, and at the broker and the handlers.

What works but is probably not meant is printed as a warning. The exit code is 0 where run would start, 2 where it would not.`,
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

// addConfigFlags adds the flags that a configuration is read with.
func addConfigFlags(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", "", "configuration `file`")
	config.AddFlags(cmd.Flags())
}

func load(cmd *cobra.Command, file string) (*config.Config, error) {
	if file == "" && cmd.Flags().Changed("config") {
		return nil, usageError{fmt.Errorf("--config names no file")}
	}
	return config.Load(config.Sources{File: file, Environ: os.Environ(), Flags: cmd.Flags()})
}
