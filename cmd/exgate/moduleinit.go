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
		Short: "Begin a module: a folder with a protocol that works, its test and its SDK",
		Long: `Makes the folder NAME with a small protocol that works at once: text lines, a login, messages up and down. It has a test that runs without a gateway, a script that
builds the module, and the SDK, so that the language's own tools are all that it takes and no network is needed.`,
		Example: `  exgate module init --lang go meter
  exgate module init --lang c --in ~/protocols meter`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if lang == "" {
				return usageError{fmt.Errorf("--lang is missing: one of %s", languages)}
			}
			folder, err := module.Init(parent, args[0], lang)
			if errors.Is(err, module.ErrLanguage) || errors.Is(err, module.ErrName) || errors.Is(err, module.ErrFolder) {
				return usageError{err}
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%[1]s is there; README.md in it tells what to do. To build and try it:\n\n  cd %[1]s\n  ./build.sh\n"+
				"  exgate module check %[2]s.wasm\n  exgate module run %[2]s.wasm\n", folder, args[0])
			return nil
		},
	}
	cmd.Flags().StringVar(&lang, "lang", "", "the language: "+languages)
	cmd.Flags().StringVar(&parent, "in", ".", "where the folder is made")
	return cmd
}
