package conformance_test

import (
	"os"
	"strings"
	"testing"

	"github.com/exgate/exgate/hostabi/conformance"
)

func TestEveryCheckIsDocumented(t *testing.T) {
	page, err := os.ReadFile("kit.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report(t, "testdata/wrong.wasm", conformance.Options{Config: []byte("-")}).Checks {
		if !strings.Contains(string(page), "`"+c.Name+"`") {
			t.Errorf("kit.md does not name %s", c.Name)
		}
	}
}
