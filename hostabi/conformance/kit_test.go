package conformance_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi/conformance"
)

// goPages is the memory that guests written in Go are given, in pages of 64 KiB.
const goPages = 1024

func report(t *testing.T, path string, o conformance.Options) conformance.Report {
	t.Helper()
	module, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	host, err := conformance.NewPlain(t.Context(), module, goPages)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = host.Close(t.Context()) }()
	return conformance.Run(t.Context(), host, o)
}

// TestReleasedGuests runs the guests of every released ABI version, which stay as they are for ever.
func TestReleasedGuests(t *testing.T) {
	paths, err := filepath.Glob("testdata/exproto_v*/*.wasm")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no guests: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".wasm"), func(t *testing.T) {
			t.Parallel()
			r := report(t, path, conformance.Options{})
			for _, c := range r.Checks {
				t.Log(c)
			}
			if !r.OK() {
				t.Errorf("%d checks failed", r.Count(conformance.Fail))
			}
		})
	}
}
