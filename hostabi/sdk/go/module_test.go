package exproto_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/hostabi/guesttest"
)

// TestReadmeShowsWhatIsTested builds what README.md shows, with its command, and runs it.
func TestReadmeShowsWhatIsTested(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"echo/main.go", "lines/main.go", "lines/main_test.go"} {
		source, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(readme), string(source)) {
			t.Errorf("README.md does not show testdata/%s", file)
		}
	}
	for name, answer := range map[string]string{"echo": "hello\n", "lines": "hello!\n"} {
		g := guesttest.Load(t, build(t, name), guesttest.Config{MemoryPages: 1024})
		g.Created(1, hostabi.ConnInfo{})
		g.Bytes(1, "hel")
		g.Bytes(1, "lo\n")
		if got := g.Sent(1); got != answer {
			t.Errorf("%s: the device was sent %q", name, got)
		}
	}
}

func TestLinesAreTestedNatively(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-count=1",
		"./testdata/lines").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func build(t *testing.T, name string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".wasm")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o",
		path, "./testdata/"+name)
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	module, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return module
}
