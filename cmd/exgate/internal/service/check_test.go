package service_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/service"
)

// Whatever Start refuses, Check refuses in the same words, and it leaves nothing behind.
func TestCheckRefusesWhatStartDoes(t *testing.T) {
	const listener = "upstream: {embedded: {bind: 127.0.0.1:0}}\nlisteners:\n  a:\n    bind: 127.0.0.1:0\n    "
	const line = "handler: {wasm: builtin:line}\n"
	for name, test := range map[string]struct{ file, key string }{
		"module that is none":    {listener + "handler: {wasm: text.wasm}\n", "listeners.a.handler.wasm"},
		"empty module":           {listener + "handler: {wasm: empty.wasm}\n", "listeners.a.handler.wasm"},
		"module without exports": {listener + "handler: {wasm: bare.wasm}\n", "listeners.a.handler.wasm"},
		"too little memory": {
			listener + "handler: {wasm: builtin:line, limits: {memory_pages: 1}}\n",
			"listeners.a.handler.wasm",
		},
		"too little fuel": {
			listener + "handler: {wasm: builtin:line, limits: {start_fuel: 1}}\n",
			"listeners.a.handler.wasm",
		},
		"module above its bound": {
			listener + "handler: {wasm: builtin:line, limits: {module_bytes: 10}}\n",
			"listeners.a.handler.wasm",
		},
		"shadow that is none": {
			listener + "handler: {wasm: builtin:line, shadow: {wasm: text.wasm}}\n",
			"listeners.a.handler.shadow.wasm",
		},
		"captures below a file": {
			listener + line + "    capture: {folder: text.wasm/captures}\n",
			"listeners.a.capture",
		},
		"captures in a file":    {listener + line + "    capture: {folder: text.wasm}\n", "listeners.a.capture"},
		"captures in no folder": {listener + line + "    capture: {folder: /proc/captures}\n", "listeners.a.capture"},
		"spool below a file": {"upstream: {url: mqtt://127.0.0.1:1, spool: {folder: " +
			"text.wasm/spool}}\nlisteners: {a: {bind: 127.0.0.1:0, " + strings.TrimSpace(line) +
			"}}\n", "upstream.spool.folder"},
		"module of the folder": {"modules: modules\n" + listener + "handler: {module: bad}\n", "bad.wasm"},
		"client id of the status": {"upstream: {url: mqtt://127.0.0.1:1, device_status: {topic: " +
			"'a/${clientid}', online: '" + strings.Repeat("x", 1<<20) + "'}}\nlisteners: {a: {bind: 127.0.0.1:0, " +
			strings.TrimSpace(line) + "}}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			files := map[string]string{
				"exgate.yaml": test.file, "text.wasm": "no module", "empty.wasm": "",
				"bare.wasm":        "\x00asm\x01\x00\x00\x00",
				"modules/bad.wasm": "\x00asm\x01\x00\x00\x00",
			}
			for file, text := range files {
				if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700),
					os.WriteFile(file, []byte(text), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			cfg, err := config.Load(config.Sources{File: "exgate.yaml"})
			if err != nil {
				t.Fatal(err)
			}
			problems := service.Check(t.Context(), cfg)
			s, err := service.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
			if err == nil {
				if err := s.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			}
			var started config.Problem
			switch refused := errors.As(err, &started); {
			case refused != (len(problems) > 0):
				t.Fatalf("Check: %v\nStart: %v", problems, err)
			case refused && !strings.Contains(problems.Error(), test.key):
				t.Errorf("Check: %v; want %s\nStart: %v", problems, test.key, err)
			case refused && !strings.Contains(err.Error(), "listeners.a.handler.module: ") &&
				!strings.HasPrefix(problems[0].Key, started.Key):
				t.Errorf("Check: %v\nStart: %v", problems, err)
			case !refused && test.key != "":
				t.Error("neither refuses it")
			}
		})
	}
}

// settings are the dotted names of all settings, those of a listener as they are for the listener demo.
func settings(t *testing.T) []string {
	t.Helper()
	text := regexp.MustCompile(`(?m)^( *)#([a-z_]+:)`).ReplaceAll(config.Default, []byte("$1$2"))
	var root map[string]any
	if err := yaml.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	var names []string
	var walk func(string, map[string]any)
	walk = func(prefix string, section map[string]any) {
		for name, value := range section {
			if inner, ok := value.(map[string]any); ok {
				walk(prefix+name+".", inner)
			} else {
				names = append(names, prefix+name)
			}
		}
	}
	walk("", root)
	names = append(names, rareSettings(t)...)
	slices.Sort(names)
	return names
}

// rareSettings are those that docs/limits.md lists instead of the default file.
func rareSettings(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../../../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	_, reference, _ := strings.Cut(string(text), "\n## Settings reference\n")
	var names []string
	section := ""
	for line := range strings.Lines(reference) {
		if rest, ok := strings.CutPrefix(line, "### Section `"); ok {
			section, _, _ = strings.Cut(strings.ReplaceAll(rest, "NAME", "demo"), "`")
			section += "."
		}
		if rest, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ := strings.Cut(rest, "`")
			names = append(names, section+name)
		}
	}
	if len(names) < 50 {
		t.Fatalf("docs/limits.md lists %d settings", len(names))
	}
	return names
}

// For every setting and odd values of it: what Load and Check take, Start takes.
func TestStartTakesWhatCheckTakes(t *testing.T) {
	names := settings(t)
	t.Chdir(t.TempDir())
	if err := errors.Join(os.WriteFile("file", []byte("x"), 0o600), os.Mkdir("folder", 0o700)); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, base := range [][]string{
		{"upstream.embedded.bind=127.0.0.1:0"},
		{"upstream.url=mqtt://127.0.0.1:1", "upstream.session=shared"},
	} {
		base = append(base, "listeners.demo.bind=127.0.0.1:0", "modules_cache=", "shutdown_timeout=5s")
		for _, name := range names {
			if strings.HasSuffix(name, "bind") {
				continue // addresses are tried by Start alone
			}
			for _, value := range []string{"1", "2147483647", "1ns", "1%", "true", "file/x", "/proc/x"} {
				flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
				config.AddFlags(flags)
				for _, set := range append(slices.Clone(base), name+"="+value) {
					if err := flags.Set("set", set); err != nil {
						t.Fatal(err)
					}
				}
				cfg, err := config.Load(config.Sources{Flags: flags})
				if err != nil {
					continue
				}
				tried++
				problems := service.Check(t.Context(), cfg)
				s, err := service.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
				if (err == nil) != (len(problems) == 0) {
					t.Errorf("%s=%s beside %s\nCheck: %v\nStart: %v", name, value, base[0], problems, err)
				}
				if err == nil {
					if err := s.Stop(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d configurations were tried", tried)
	}
}

func TestCheckLeavesNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	text := "upstream: {url: mqtt://127.0.0.1:1, spool: {folder: a/spool}}\n" +
		"listeners: {a: {bind: 127.0.0.1:0, handler: {wasm: builtin:line}, capture: {folder: " +
		"b/captures}}}\nmodules_cache: cache\n"
	if err := os.WriteFile("exgate.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Sources{File: "exgate.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	if problems := service.Check(t.Context(), cfg); len(problems) > 0 {
		t.Fatal(problems)
	}
	entries, err := os.ReadDir(".")
	if err != nil || len(entries) != 1 {
		t.Errorf("there is %v, %v", entries, err)
	}
}
