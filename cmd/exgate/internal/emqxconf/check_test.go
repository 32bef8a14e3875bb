package emqxconf_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exgate/exgate/cmd/exgate/internal/certtest"
	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf"
)

// TestResultsAreRight checks the result for each version as exgate config check does, after doing what the findings ask
// for.
func TestResultsAreRight(t *testing.T) {
	for version := range versions {
		t.Run(version, func(t *testing.T) {
			etc := etcFolder(t)
			result := imported(t, version, emqxconf.Options{EtcDir: etc}.WithEnv(noVariables))
			done := strings.NewReplacer("/var/lib/emqx/certs", filepath.Join(etc, "certs"),
				"secure/${username}/${zone}/", "secure/${username}/default/")
			text := done.Replace(string(result.YAML))
			file := filepath.Join(etc, "exgate.yaml")
			write(t, file, []byte(text))
			if _, err := config.Load(config.Sources{File: file}); err != nil {
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
}

// etcFolder creates a folder with every certificate named in testdata, and with pre-shared keys.
func etcFolder(t *testing.T) string {
	t.Helper()
	etc := t.TempDir()
	cert, key := certtest.SelfSigned(t)
	for _, name := range []string{"cert.pem", "cacert.pem", "handler-ca.pem", "client-cert.pem"} {
		write(t, filepath.Join(etc, "certs", name), cert)
	}
	for _, name := range []string{"key.pem", "client-key.pem"} {
		write(t, filepath.Join(etc, "certs", name), key)
	}
	write(t, filepath.Join(etc, "devices.psk"), []byte("meter-7:6578676174652d64656d6f2d6b65792121\n"))
	return etc
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, data, 0o600)); err != nil {
		t.Fatal(err)
	}
}
