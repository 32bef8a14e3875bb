package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/exgate/exgate/cmd/exgate/internal/module"
	"github.com/exgate/exgate/hostabi/manifest"
	"github.com/exgate/exgate/internal/boundedfile"
	"github.com/exgate/exgate/runtime/wasm"
)

func newModuleManifest() *cobra.Command {
	var set string
	cmd := &cobra.Command{
		Use:   "manifest FILE.wasm",
		Short: "Print a module's manifest, or write it into the module",
		Long: `Prints what a module says about itself, as JSON: name, version, license, author, links, transports, the
schema of its configuration, topics, and the limits it wants. With --set it writes the manifest of a JSON file into the
module, after checking it. The exit code is 1 if the module has no manifest or a malformed one.`,
		Example: `  exgate module manifest meter.wasm --set exgate.json
  exgate module manifest meter.wasm`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if set != "" {
				return setManifest(args[0], set)
			}
			s, err := module.Open(args[0], "", "", wasm.Limits{})
			if err != nil {
				return usageError{err}
			}
			m, err := manifest.Of(s.Module)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if m == nil {
				return fmt.Errorf("%s has no manifest; write one with --set", args[0])
			}
			out := json.NewEncoder(cmd.OutOrStdout())
			out.SetIndent("", "  ")
			return out.Encode(m)
		},
	}
	cmd.Flags().StringVar(&set, "set", "", "write the manifest of this JSON `file` into the module")
	return cmd
}

// setManifest writes a manifest into the file of a module.
func setManifest(path, from string) error {
	content, err := boundedfile.Read(from, manifest.MaxBytes)
	if err != nil {
		return usageError{fmt.Errorf("reading the manifest: %w", err)}
	}
	s, err := module.Open(path, "", "", wasm.Limits{})
	if err != nil {
		return usageError{err}
	}
	with, err := manifest.Set(s.Module, content)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	if err := overwrite(path, with); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// overwrite replaces a file whole, so that a gateway that watches it never sees a part of it.
func overwrite(path string, content []byte) (err error) {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".exgate-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(content)
	if err := errors.Join(err, f.Chmod(info.Mode().Perm()), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
