package exproto_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/hostabi/sdk/guesttest"
)

// TestReadmeShowsTheEchoThatIsTested builds what README.md shows, with its command, and runs it.
func TestReadmeShowsTheEchoThatIsTested(t *testing.T) {
	source, err := os.ReadFile("testdata/echo/main.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), string(source)) {
		t.Error("README.md does not show testdata/echo/main.go")
	}
	path := filepath.Join(t.TempDir(), "echo.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", path, "./testdata/echo")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building echo.wasm: %v\n%s", err, out)
	}
	module, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	g := guesttest.Load(t, module, guesttest.Config{MemoryPages: 1024})
	g.Created(1, hostabi.ConnInfo{})
	g.Bytes(1, "hello\n")
	if got := g.Sent(1); got != "hello\n" {
		t.Errorf("the device was sent %q", got)
	}
}
