package assemblyscript_test

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

const conn = 1 << 40

func TestProbe(t *testing.T) { probe.Run(t, probeModule, guesttest.Config{}) }

func TestEcho(t *testing.T) { probe.RunEcho(t, echoModule) }

// Events leave garbage, and connections state: neither may pile up.
func TestMemoryStaysBounded(t *testing.T) {
	g := guesttest.Load(t, probeModule, guesttest.Config{})
	g.Created(conn, hostabi.ConnInfo{})
	var pages uint32
	for round := range int64(4) {
		for c := range int64(2000) {
			g.Created(round<<32|c, hostabi.ConnInfo{})
			g.Bytes(round<<32|c, "echo half a li")
			g.Closed(round<<32|c, "normal")
		}
		for range 20_000 {
			g.Bytes(conn, "echo a line that is answered\n")
		}
		g.Sent(conn)
		g.Calls()
		if round == 0 {
			pages = g.MemoryPages()
		}
	}
	if got := g.MemoryPages(); got > pages+2 {
		t.Errorf("%d pages after the first round, %d after the last", pages, got)
	}
}

// An instance closes the connections that it has no room for.
func TestConnectionsAreBounded(t *testing.T) {
	g := guesttest.Load(t, echoModule, guesttest.Config{})
	for c := range int64(10_000) {
		if a := g.Created(c, hostabi.ConnInfo{}); a != hostabi.ActionContinue {
			t.Fatalf("connection %d got action %d", c, a)
		}
	}
	if a := g.Created(-1, hostabi.ConnInfo{}); a != hostabi.ActionClose {
		t.Errorf("one connection too many got action %d", a)
	}
}

// TestInNode runs the package's own tests.
func TestInNode(t *testing.T) {
	if _, err := os.Stat("node_modules/.bin/asc"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: run hostabi/sdk/assemblyscript/setup.sh", err)
		}
		t.Skipf("%v: run hostabi/sdk/assemblyscript/setup.sh", err)
	}
	if out, err := exec.CommandContext(t.Context(), "npm", "test").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
