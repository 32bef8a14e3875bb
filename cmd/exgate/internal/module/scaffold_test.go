package module

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/exgate/exgate/runtime/wasm"
)

// tools are the programs that a language's modules are built with.
var tools = map[string][]string{
	"c": {"clang", "wasm-ld", "cc"}, "go": {"go"}, "rust": {"cargo"},
	"assemblyscript": {"node", "npm"},
}

// environment has the distribution's tools first: another toolchain may lack the target.
func environment(t *testing.T) []string {
	t.Helper()
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	return append(os.Environ(), "PATH=/usr/bin:/bin:"+filepath.Dir(goTool), "GOFLAGS=-mod=mod", "GOPROXY=off")
}

func needTools(t *testing.T, lang string) {
	t.Helper()
	for _, tool := range tools[lang] {
		ask := "--version"
		if tool == "go" {
			ask = "version"
		}
		// found as the build finds it; rustup's cargo may have no toolchain
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", tool+" "+ask)
		cmd.Env = environment(t)
		out, err := cmd.CombinedOutput()
		if err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s does not run: %v: apt-get install clang lld gcc libc6-dev cargo libstd-rust-dev-wasm32\n%s",
				tool, err, out)
		}
		t.Skipf("%s does not run: %v\n%s", tool, err, out)
	}
}

// TestNewModulesWorkAtOnce creates a module in each language, and does what its README says.
func TestNewModulesWorkAtOnce(t *testing.T) {
	for _, lang := range Languages() {
		t.Run(lang, func(t *testing.T) {
			needTools(t, lang)
			folder, err := Init(t.TempDir(), "meter", lang)
			if err != nil {
				t.Fatal(err)
			}
			if lang == "assemblyscript" {
				installCompiler(t, folder)
			}
			file, built := FileOf("meter", lang)
			for _, command := range []string{languages[lang].test, "./build.sh"} {
				if !built {
					break
				}
				cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
				cmd.Dir, cmd.Env = folder, environment(t)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", command, err, out)
				}
			}
			limits := wasm.Limits{}
			if lang == "go" {
				limits = goLimits
			}
			tryNewModule(t, filepath.Join(folder, file), limits)
		})
	}
}

// installCompiler takes the SDK's own compiler instead of npm's: no test asks a registry.
func installCompiler(t *testing.T, folder string) {
	t.Helper()
	installed, err := filepath.Abs(repository + "hostabi/sdk/assemblyscript/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	packages, err := os.ReadDir(installed)
	if err != nil && os.Getenv("CI") != "true" {
		t.Skipf("%v: run hostabi/sdk/assemblyscript/setup.sh", err)
	}
	if err != nil {
		t.Fatalf("%v: run hostabi/sdk/assemblyscript/setup.sh", err)
	}
	modules := filepath.Join(folder, "node_modules")
	if err := errors.Join(os.Mkdir(modules, 0o700),
		os.Symlink(filepath.Join(folder, "sdk"), filepath.Join(modules, "exproto"))); err != nil {
		t.Fatal(err)
	}
	for _, p := range packages {
		if err := os.Symlink(filepath.Join(installed, p.Name()), filepath.Join(modules, p.Name())); err != nil {
			t.Fatal(err)
		}
	}
}

func tryNewModule(t *testing.T, path string, limits wasm.Limits) {
	t.Helper()
	s, err := Open(path, "", "delimiter 0a 1024 line", limits) // framing is for the script
	if err != nil {
		t.Fatal(err)
	}
	x, err := Check(t.Context(), s, CheckOptions{Samples: [][]byte{
		[]byte("bus7\nhello\n"), []byte("\n"),
		[]byte("a/b\n"),
	}})
	if err != nil || !x.OK {
		t.Errorf("%v, %v", err, x.Checks)
	}
	var out strings.Builder
	if err := Run(t.Context(), s, strings.NewReader("bus7\nhello\n/message meter/bus7/down stop\n"), &out,
		RunOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`subscribe "meter/bus7/down" qos=1: SUCCESS`, `< "ok\n"`, `publish "meter/bus7/up" qos=1 "hello": SUCCESS`,
		`message "meter/bus7/down" qos=0 "stop"`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
}

func TestInitWritesOverNothing(t *testing.T) {
	parent := t.TempDir()
	if _, err := Init(parent, "meter", "c"); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(parent, "meter", "go"); !errors.Is(err, ErrFolder) {
		t.Errorf("got %v", err)
	}
	for _, name := range []string{"", "Meter", "../meter", "a-b", strings.Repeat("a", 33)} {
		if _, err := Init(parent, name, "c"); !errors.Is(err, ErrName) {
			t.Errorf("%q: got %v", name, err)
		}
	}
	if _, err := Init(parent, "other", "cobol"); !errors.Is(err, ErrLanguage) {
		t.Errorf("got %v", err)
	}
	if !slices.IsSorted(Languages()) || len(Languages()) != len(languages) {
		t.Errorf("%v are not all languages", Languages())
	}
}
