package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func loadData(t *testing.T, text string) (*Module, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "m.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return LoadModule(file, "m")
}

func TestSettingsOfAModuleBecomeJSON(t *testing.T) {
	for text, want := range map[string]string{
		"config: text":                            "text",
		"config: '{\"a\": 1}'":                    `{"a": 1}`,
		"config: {b: 1, a: [x, 0x1f, 1.5, true]}": `{"b":1,"a":["x",31,1.5,true]}`,
		"config:\n  at: 2026-01-02\n  no: null\n  quote: \"a\\\"b\"": `{"at":"2026-01-02","no":null,"quote":"a\"b"}`,
		"config: {a: &x {b: 1}, c: *x}":                              `{"a":{"b":1},"c":{"b":1}}`,
	} {
		m, err := loadData(t, text)
		if err != nil || m.Config != want {
			t.Errorf("%s: %v, %+v", text, err, m)
		}
	}
}

func TestWrongSettingsOfAModule(t *testing.T) {
	bomb, of := "config:\n  a: &a [x]\n", "a"
	for n := range strings.SplitSeq("bcdefghijkl", "") {
		bomb += "  " + n + ": &" + n + " [" + strings.Repeat("*"+of+", ", 9) + "]\n"
		of = n
	}
	for text, want := range map[string]string{
		"config: {a: 1, a: 2}": "config.a: is set twice",
		"config: {a: .inf}":    "has no form in JSON",
		"config: {[a]: 1}":     "keys that are not plain words",
		"config: {a: !x 1}":    "a value with the tag",
		"config: &a {b: *a}":   "levels deep",
		"config: " + strings.Repeat("[", 40) + strings.Repeat("]", 40): "levels deep",
		bomb: "more than",
	} {
		_, err := loadData(t, text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", text, err, want)
		}
	}
}
