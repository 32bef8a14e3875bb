package emqxconf

import (
	"maps"
	"os"
	"strings"
	"testing"
)

// TestEverySettingIsDocumented looks for each setting with a rule in the migration guide.
func TestEverySettingIsDocumented(t *testing.T) {
	guide, err := os.ReadFile("../../../../docs/migration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, some := range []rules{v4ListenerRules, v5ListenerRules, handlerTLSRules} {
		for name := range maps.Keys(some) {
			if name != own && !strings.Contains(string(guide), "`"+name+"`") {
				t.Errorf("docs/migration.md does not say what becomes of %s", name)
			}
		}
	}
}
