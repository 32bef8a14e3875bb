package examplestest

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/exgate/exgate/runtime/remote"
)

// everyDialect is what an example on a handler SDK serves.
var everyDialect = append(sdkDialects, remote.DialectUnaryV42)

// sdkDialects are those without unary-v42, whose service has the name of stream's: in Go and Java it needs a process of
// its own.
var sdkDialects = []remote.Dialect{remote.DialectUnary, remote.DialectStream, remote.DialectSession, remote.DialectAuto}

func TestGo(t *testing.T) {
	program := filepath.Join(t.TempDir(), "jsonecho")
	build(t, program, "../go/jsonecho/cmd/jsonecho")
	example := Example{command: []string{program}}
	play(t, example, sdkDialects...)
	play(t, example.With("--unary-v42"), remote.DialectUnaryV42)
}

func TestPython(t *testing.T) { play(t, Python, everyDialect...) }

func TestNode(t *testing.T) { play(t, Node, everyDialect...) }

func TestJava(t *testing.T) {
	play(t, Java, sdkDialects...)
	play(t, Java.With("--unary-v42"), remote.DialectUnaryV42)
}

// build compiles a Go package into a program.
func build(t *testing.T, program, pkg string) {
	t.Helper()
	if output, err := exec.Command("go", "build", "-o", program, pkg).CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", pkg, err, output)
	}
}
