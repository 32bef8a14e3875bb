package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf"
)

// importFlags holds the flags of config import.
type importFlags struct {
	output   string
	force    bool
	upstream string
	etcDir   string
}

func newConfigImport() *cobra.Command {
	var flags importFlags
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Convert an EMQX configuration for ExProto",
		Long: `Reads the ExProto settings of an EMQX configuration and prints a configuration for exgate. FILE is
emqx_exproto.conf of EMQX 4.2 to 4.4, or emqx.conf or cluster.hocon of EMQX 5.x, which may include other files. Settings
that cannot be imported are listed on standard error, with file and line. Passwords are not imported.

docs/migration.md lists every EMQX setting with its counterpart.`,
		Example: `  exgate config import etc/plugins/emqx_exproto.conf --upstream mqtt://broker:1883 -o exgate.yaml
  exgate config import data/configs/cluster.hocon --etc-dir /etc/emqx > exgate.yaml
  exgate config check -c exgate.yaml`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return importConfig(cmd, args[0], flags) },
	}
	f := cmd.Flags()
	f.StringVarP(&flags.output, "output", "o", "", "write the configuration to `FILE` instead of standard output")
	f.BoolVar(&flags.force, "force", false, "overwrite the output file")
	f.StringVar(&flags.upstream, "upstream", "",
		"`URL` of the MQTT broker, such as mqtt://host:1883 (default: the embedded broker)")
	f.StringVar(&flags.etcDir, "etc-dir", "",
		"the `FOLDER` with EMQX's configuration and certificates (default: the folder of FILE)")
	return cmd
}

func importConfig(cmd *cobra.Command, file string, flags importFlags) error {
	if err := checkUpstream(flags.upstream); err != nil {
		return err
	}
	opts := emqxconf.Options{Upstream: flags.upstream}
	if flags.etcDir != "" {
		dir, err := filepath.Abs(flags.etcDir)
		if err != nil {
			return fmt.Errorf("finding --etc-dir: %w", err)
		}
		opts.EtcDir = dir
	}
	result, err := emqxconf.Import(file, opts)
	if err != nil {
		return fmt.Errorf("importing: %w", err)
	}
	if err := writeImport(cmd, result.YAML, flags); err != nil {
		return err
	}
	decisions := result.Decisions()
	fmt.Fprintf(cmd.ErrOrStderr(), "%slisteners: %d; settings to decide about: %d; settings not needed: %d\n",
		result, result.Listeners, decisions, len(result.Findings)-decisions)
	return nil
}

func writeImport(cmd *cobra.Command, text []byte, flags importFlags) error {
	if flags.output == "" {
		_, err := cmd.OutOrStdout().Write(text)
		return err
	}
	how := os.O_CREATE | os.O_WRONLY | os.O_EXCL
	if flags.force {
		how = os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	}
	f, err := os.OpenFile(flags.output, how, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return usageError{fmt.Errorf("%s already exists; use --force to overwrite it", flags.output)}
	}
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}

// checkUpstream rejects a URL that config check would reject, before anything is written.
func checkUpstream(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "mqtt" && u.Scheme != "mqtts" || u.Hostname() == "" {
		return usageError{errors.New("--upstream must be like mqtt://host:1883 or mqtts://host:8883")}
	}
	if u.User != nil {
		return usageError{errors.New("--upstream must not contain a user: devices log in with their own credentials")}
	}
	return nil
}
