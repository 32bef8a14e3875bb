package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){
		"exgate": func() { os.Exit(execute()) },
	})
}

// leakChecked fails tests that leak goroutines. goleak's own TestMain and testscript's would both exit the process.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	code := m.M.Run()
	if code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, "goleak:", err)
		return 1
	}
	return 0
}

// TestScripts runs testdata/*.txtar. Beside testscript's own commands they have those of scriptCommands.
func TestScripts(t *testing.T) {
	cache := t.TempDir() // shared by all scripts, so that a module is compiled once
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                scriptCommands(),
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_CACHE_HOME", cache)
			env.Setenv("REPOSITORY", repository)
			env.Values[sceneKey{}] = newScene()
			env.Defer(env.Values[sceneKey{}].(*scene).end)
			return nil
		},
	})
}
