package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/exgate/exgate/cmd/exgate/internal/doctor"
)

var errSick = errors.New("not everything is well: each line above that begins with problem names the setting to change")

func newDoctor() *cobra.Command {
	var file, format string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at everything that a configuration names, and say what is wrong with it",
		Long: `Looks at everything that a configuration names, whether the gateway runs or not, and says of each thing in one sentence whether it is well, or which
setting to change: addresses in use, handlers that are not there, speak another dialect, no gRPC, or other TLS, an adapter that handlers cannot reach,
a broker that takes no clients, certificates that expire.

Nothing is changed. Handlers see no event; a broker elsewhere sees one client without a password come and go.

The exit code is 0 where nothing is wrong, 1 where something is, and 2 for a configuration that config check does not take.`,
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
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
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
