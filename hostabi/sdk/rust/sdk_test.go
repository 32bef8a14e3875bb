package rust_test

import (
	_ "embed"
	"os"
	"os/exec"
	"testing"

	"github.com/exgate/exgate/hostabi"
	"github.com/exgate/exgate/hostabi/conformance/probe"
	"github.com/exgate/exgate/hostabi/guesttest"
)

var (
	//go:embed testdata/probe.wasm
	probeModule []byte
	//go:embed testdata/echo.wasm
	echoModule []byte
)

func TestProbe(t *testing.T) { probe.Run(t, probeModule, guesttest.Config{}) }

func TestEcho(t *testing.T) { probe.RunEcho(t, echoModule) }

// An instance closes connections over its limit, and frees the memory of closed ones.
func TestConnectionsAreBounded(t *testing.T) {
	g := guesttest.Load(t, echoModule, guesttest.Config{})
	var pages uint32
	for round := range int64(3) {
		for conn := range int64(20_000) {
			if a := g.Created(round<<32|conn, hostabi.ConnInfo{}); a != hostabi.ActionContinue {
				t.Fatalf("connection %d got action %d", conn, a)
			}
		}
		if a := g.Created(-1, hostabi.ConnInfo{}); a != hostabi.ActionClose {
			t.Errorf("one connection too many got action %d", a)
		}
		for conn := range int64(20_000) {
			g.Closed(round<<32|conn, "normal")
		}
		if pages == 0 {
			pages = g.MemoryPages()
		}
	}
	if got := g.MemoryPages(); got != pages {
		t.Errorf("%d pages after the first round, %d after the last", pages, got)
	}
}

// TestNatively runs the crate's own tests.
func TestNatively(t *testing.T) {
	// What is called cargo may be rustup's, which has no toolchain until it is told to fetch one.
	if out, err := exec.CommandContext(t.Context(), "cargo", "--version").CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("cargo --version: %v\n%s", err, out)
		}
		t.Skipf("cargo does not run: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), "cargo", "test", "--offline", "--target-dir", t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
