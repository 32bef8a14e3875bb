package emqxconf_test

import (
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/exgate/exgate/cmd/exgate/internal/emqxconf"
)

// loads reads a result as YAML.
func loads(t *testing.T, text []byte) {
	t.Helper()
	var any map[string]any
	if err := yaml.Unmarshal(text, &any); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	for _, section := range []string{"adapter", "upstream"} {
		if any[section] == nil {
			t.Fatalf("no %s in\n%s", section, text)
		}
	}
}

// TestNamesOfListeners gives listeners names that exgate does not allow, or that are taken.
func TestNamesOfListeners(t *testing.T) {
	text := `gateway.exproto { handler.address = "http://h:1", listeners {
		tcp { "My Meter" { bind = 1 }, a { bind = 2 } }
		udp { a { bind = 3 }, "A" { bind = 4 } }
	} }`
	result, err := emqxconf.Import("f", one(text))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Listeners map[string]struct{ Bind string }
	}
	if err := yaml.Unmarshal(result.YAML, &got); err != nil {
		t.Fatal(err)
	}
	for name, bind := range map[string]string{"my-meter": ":1", "a": ":2", "udp-a": ":3", "udp-a-2": ":4"} {
		if got.Listeners[name].Bind != bind {
			t.Errorf("listener %s binds to %q, want %q in\n%s", name, got.Listeners[name].Bind, bind, result.YAML)
		}
	}
}
