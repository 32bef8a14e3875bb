package examplestest

import (
	"path/filepath"
	"testing"

	"github.com/exgate/exgate/runtime/remote"
)

// example is a handler that a process of its own serves.
type example struct {
	// name is the language's, and the argument of setup.sh that prepares it; empty where go build prepares it.
	name string
	// folder is where the program runs, from this one.
	folder string
	// needs is a file in folder that is there when the example is prepared.
	needs string
	// command starts it in folder; --listen and --adapter are added.
	command []string
	// dialects are those it serves.
	dialects []remote.Dialect
}

// everyDialect is what an example on a handler SDK serves.
var everyDialect = append(sdkDialects, remote.DialectUnaryV42)

// sdkDialects are those without unary-v42, whose service has the name of stream's: in Go and Java it needs a process of its own.
var sdkDialects = []remote.Dialect{remote.DialectUnary, remote.DialectStream, remote.DialectSession, remote.DialectAuto}

func TestGo(t *testing.T) {
	program := filepath.Join(t.TempDir(), "jsonecho")
	build(t, program, "../go/jsonecho/cmd/jsonecho")
	play(t, example{folder: ".", command: []string{program}, dialects: sdkDialects})
	play(t, example{folder: ".", command: []string{program, "--unary-v42"}, dialects: []remote.Dialect{remote.DialectUnaryV42}})
}
