package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/exgate/exgate/cmd/exgate/internal/doctor"
)

var errSick = errors.New("found problems: each line above that begins with problem names the setting to change")

func newDoctor() *cobra.Command {
	var file, format string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything that a configuration refers to: addresses, handlers, broker, certificates",
		Long: `Checks everything that a configuration refers to, whether or not the gateway is running, and reports on
each item in one sentence: that it works, or which setting to change. It finds addresses in use, handlers that are not
running or are not gRPC servers, TLS mismatches, an adapter that handlers cannot reach, a broker that refuses clients,
and certificates that are about to expire.

It changes nothing and sends no event to handlers. An external broker sees one client connect and disconnect, without a
password unless the gateway has an account there.

The exit code is 0 if there are no problems, 1 if there are any, and 2 if config check would reject the configuration.`,
		Example: `  exgate doctor -c exgate.yaml
  exgate doctor -c exgate.yaml --format json
  EXGATE_UPSTREAM__URL=mqtt://broker.example:1883 exgate doctor`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			show, ok := map[string]printing{"text": doctor.PrintText, "json": doctor.PrintJSON}[format]
			if !ok {
				return usageError{fmt.Errorf("--format must be text or json, not %q", format)}
			}
			return examine(cmd, file, show)
		},
	}
	addConfigFlags(cmd, &file)
	cmd.Flags().StringVar(&format, "format", "text", "the output format: text or json")
	return cmd
}

type printing = func(io.Writer, []doctor.Finding) error

func examine(cmd *cobra.Command, file string, show printing) error {
	cfg, err := load(cmd, file)
	if err != nil {
		return err
	}
	findings := doctor.Examine(cmd.Context(), cfg)
	if err := show(cmd.OutOrStdout(), findings); err != nil {
		return err
	}
	if doctor.Sick(findings) {
		return errSick
	}
	return nil
}
