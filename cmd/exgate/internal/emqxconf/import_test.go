package emqxconf_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf"
	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf/hocon"
)

var update = flag.Bool("update", false, "write the golden files")

// versions holds the configurations in testdata by EMQX version.
var versions = map[string]string{
	"4.2": "etc/plugins/emqx_exproto.conf",
	"4.4": "etc/plugins/emqx_exproto.conf",
	"5.0": "etc/emqx.conf",
	"5.8": "etc/emqx.conf",
}

// imported imports the configuration of a version.
func imported(t *testing.T, version string, opts emqxconf.Options) *emqxconf.Result {
	t.Helper()
	t.Chdir(filepath.Join("testdata", version))
	result, err := emqxconf.Import(versions[version], opts)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// noVariables is an environment without any.
func noVariables(string) (string, bool) { return "", false }

func TestGolden(t *testing.T) {
	for version := range versions {
		t.Run(version, func(t *testing.T) {
			result := imported(t, version, emqxconf.Options{EtcDir: "/etc/emqx"}.WithEnv(noVariables))
			golden(t, "exgate.yaml", string(result.YAML))
			golden(t, "findings.txt", result.String())
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update writes it):\n%s", name, got)
	}
}

// TestSecretsStay looks for the secrets of testdata/5.8: passwords, a certificate, and misplaced secrets.
func TestSecretsStay(t *testing.T) {
	result := imported(t, "5.8", emqxconf.Options{EtcDir: "/etc/emqx"}.WithEnv(noVariables))
	for name, text := range map[string]string{
		"the configuration": string(result.YAML),
		"the findings":      result.String(),
	} {
		if strings.Contains(text, "hunter") {
			t.Errorf("%s has a secret in it:\n%s", name, text)
		}
	}
}

func TestUpstream(t *testing.T) {
	result := imported(t, "5.0", emqxconf.Options{Upstream: "mqtt://broker.example:1883"})
	if text := string(result.YAML); !strings.Contains(text, "\nupstream:\n  url: mqtt://broker.example:1883\n") {
		t.Errorf("no upstream in\n%s", text)
	}
}

// one is a file by the name f and nothing else.
func one(text string) emqxconf.Options {
	return emqxconf.Options{EtcDir: "/etc/emqx"}.WithEnv(noVariables).WithFiles(func(name string) ([]byte, error) {
		if name != "f" {
			return nil, os.ErrNotExist
		}
		return []byte(text), nil
	})
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "f: has no ExProto settings"},
		{"another file of EMQX 4", "listener.tcp.external = 0.0.0.0:1883\n", "f: has no ExProto settings"},
		{"EMQX 5 without ExProto", "gateway.stomp { mountpoint = \"exproto/\" }", "f: has no ExProto settings"},
		{
			"a broken line of EMQX 4", "exproto.server.http.port = 9100\nexproto listener = 1\n",
			"f:2: must be like key.path = value",
		},
		{
			"broken HOCON", "gateway.exproto {\n  server { bind = 0.0.0.0:9100 }\n}",
			"f:2: a value that contains : or = must be in quotes",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := emqxconf.Import("f", one(c.text))
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%v; want %s", err, c.want)
			}
		})
	}
}

// FuzzImport imports anything in both formats: every error has a place, and every result is YAML without control
// characters.
func FuzzImport(f *testing.F) {
	for version, file := range versions {
		text, err := os.ReadFile(filepath.Join("testdata", version, file))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	more, err := os.ReadFile("testdata/5.8/etc/exproto.hocon")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(more))
	f.Fuzz(func(t *testing.T, text string) {
		result, err := emqxconf.Import("f", one(text))
		var syntax *hocon.SyntaxError
		switch {
		case err == nil:
			loads(t, result.YAML)
		case !errors.As(err, &syntax) && !errors.Is(err, emqxconf.ErrNoExProto):
			t.Fatalf("error without a place: %v", err)
		}
	})
}

// Paths that are not regular files are refused at once, with the place that names them.
func TestOddFiles(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		pipe:        "a named pipe, not a regular file",
		"/dev/zero": "a device, not a regular file", dir: "a folder, not a regular file",
	} {
		file := filepath.Join(dir, "emqx.conf")
		if err := os.WriteFile(file, []byte("\ninclude \""+name+"\"\ngateway.exproto {}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := emqxconf.Import(file, emqxconf.Options{})
		if err == nil || err.Error() != file+":2: including "+name+": "+want {
			t.Errorf("included: %v", err)
		}
		if _, err := emqxconf.Import(name, emqxconf.Options{}); err == nil || err.Error() != "open "+name+": "+want {
			t.Errorf("imported: %v", err)
		}
	}
}

func TestTooManyListeners(t *testing.T) {
	var v4, v5 strings.Builder
	v5.WriteString("gateway.exproto {\n")
	for i := range 1001 {
		fmt.Fprintf(&v4, "exproto.listener.l%d = tcp://0.0.0.0:%d\n", i, i+1)
		fmt.Fprintf(&v5, "listeners.tcp.l%d { bind = %d }\n", i, i+1)
	}
	for text, want := range map[string]string{v4.String(): "f:1001: ", v5.String() + "}\n": "f:1002: "} {
		_, err := emqxconf.Import("f", one(text))
		if err == nil || err.Error() != want+"the configuration has more than 1000 listeners" {
			t.Errorf("%v", err)
		}
	}
}
