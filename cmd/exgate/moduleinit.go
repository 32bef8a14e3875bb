package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/exgate/exgate/cmd/exgate/internal/module"
)

func newModuleInit() *cobra.Command {
	var lang, parent string
	languages := strings.Join(module.Languages(), ", ")
	cmd := &cobra.Command{
		Use:   "init --lang LANGUAGE NAME",
		Short: "Create a folder with a working module, its test and its SDK",
		Long: `Creates the folder NAME with a module that implements a small text protocol: login, messages up and down.
The folder contains a test that runs without a gateway, a build script and the SDK, so that you need only the language's
own tools and no network.`,
		Example: `  exgate module init --lang go meter
  exgate module init --lang c --in ~/protocols meter`,
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
			fmt.Fprintf(cmd.OutOrStdout(),
				"Created %[1]s. See README.md in it for what to do next. To build and try the module:\n\n"+
					"  cd %[1]s\n  ./build.sh\n  exgate module check %[2]s.wasm\n  exgate module run %[2]s.wasm\n",
				folder, args[0])
			return nil
		},
	}
	cmd.Flags().StringVar(&lang, "lang", "", "the language: "+languages)
	cmd.Flags().StringVar(&parent, "in", ".", "the folder to create it in")
	return cmd
}
