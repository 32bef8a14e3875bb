package config

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/wasm"
)

// settingInComment is a line that shows a setting which is not set.
var settingInComment = regexp.MustCompile(`(?m)^( *)#([a-z_]+:)`)

func parsed(t *testing.T, text []byte) settings {
	t.Helper()
	var problems collector
	s := parseFile(schema, "default.yaml", text, &problems)
	if err := problems.err(); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDefaultFileIsTheDefaults loads the default file and compares it with no file at all.
func TestDefaultFileIsTheDefaults(t *testing.T) {
	inFolder(t, string(Default))
	fromFile, fromNothing := mustLoad(t, Sources{File: "exgate.yaml"}), mustLoad(t, Sources{})
	demo := fromFile.Listeners["demo"]
	if demo.Type != "tcp" {
		t.Errorf("listener %+v", demo)
	}
	demo.Type = ""
	fromFile.Listeners["demo"] = demo
	fromFile.origins, fromNothing.origins = nil, nil
	if got, want := fmt.Sprintf("%+v", fromFile), fmt.Sprintf("%+v", fromNothing); got != want {
		t.Errorf("file     %s\ndefaults %s", got, want)
	}
}

// rareSetting is a row of the reference in docs/limits.md.
type rareSetting struct{ unit, value, when string }

var (
	referenceSection = regexp.MustCompile("^### Section `([a-zA-Z_.]+)`$")
	referenceRow     = regexp.MustCompile("^\\| `([a-z0-9_.]+)` \\| ([^|]*) \\| ([^|]*) \\|(.*)\\|$")
)

// rareSettings reads the reference in docs/limits.md.
func rareSettings(t *testing.T) map[string]rareSetting {
	t.Helper()
	text, err := os.ReadFile("../../../../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	_, reference, found := strings.Cut(string(text), "\n## Settings reference\n")
	if !found {
		t.Fatal("docs/limits.md has no settings reference")
	}
	settings, section := make(map[string]rareSetting), ""
	for line := range strings.Lines(reference) {
		line = strings.TrimSpace(line)
		if heading := referenceSection.FindStringSubmatch(line); heading != nil {
			section = strings.ReplaceAll(heading[1], "NAME", "*")
		}
		row := referenceRow.FindStringSubmatch(line)
		if row == nil {
			continue
		}
		key := join(section, row[1])
		if _, twice := settings[key]; twice {
			t.Errorf("docs/limits.md lists %s twice", key)
		}
		settings[key] = rareSetting{row[2], row[3], row[4]}
	}
	return settings
}

// TestEverySettingIsDocumentedOnce finds each setting either in the default file or in docs/limits.md.
func TestEverySettingIsDocumentedOnce(t *testing.T) {
	inFile := parsed(t, settingInComment.ReplaceAll(Default, []byte("$1$2"))).values
	rare := rareSettings(t)
	every := schema.every("")
	for _, key := range every {
		_, common := inFile[strings.ReplaceAll(key, "*", "demo")]
		switch _, listed := rare[key]; {
		case common && listed:
			t.Errorf("%s is in default.yaml and in docs/limits.md", key)
		case !common && !listed:
			t.Errorf("%s is neither in default.yaml nor in docs/limits.md", key)
		}
	}
	for key := range rare {
		if !slices.Contains(every, key) {
			t.Errorf("docs/limits.md lists %s, which is not a setting", key)
		}
	}
}

// TestReferenceHasTheDefaults compares the units and the defaults in docs/limits.md with the program's.
func TestReferenceHasTheDefaults(t *testing.T) {
	flags := pflag.NewFlagSet("exgate", pflag.ContinueOnError)
	AddFlags(flags)
	defaults := 0
	for key, setting := range rareSettings(t) {
		n, _, ok := schema.at(strings.ReplaceAll(key, "*", "demo"))
		if !ok {
			continue // reported by TestEverySettingIsDocumentedOnce
		}
		if unit := unitOf(n); unit != "" && !strings.HasPrefix(setting.unit, unit) {
			t.Errorf("docs/limits.md: %s has the unit %s, want %s", key, setting.unit, unit)
		}
		value, exact := strings.CutPrefix(strings.TrimSuffix(setting.value, "`"), "`")
		if !exact || strings.Contains(value, "`") {
			continue
		}
		if _, err := n.parse(value); err != nil {
			t.Errorf("docs/limits.md: default of %s: %v", key, err)
		}
		if strings.HasPrefix(key, "listeners.*.limits.") || strings.HasPrefix(key, "listeners.*.handler.limits.") {
			defaults++
			if err := flags.Set("set", strings.ReplaceAll(key, "*", "demo")+"="+value); err != nil {
				t.Fatal(err)
			}
		}
	}
	demo := mustLoad(t, Sources{Flags: flags}).Listeners["demo"]
	demo.IdleTimeout = gateway.DefaultLimits.IdleTimeout // in default.yaml
	if got := demo.Gateway(); got != gateway.DefaultLimits || defaults < 20 {
		t.Errorf("docs/limits.md has %d defaults\nlimits %+v\nwant   %+v", defaults, got, gateway.DefaultLimits)
	}
	if module := demo.Handler.Guest(); module.SettingsHash() != (wasm.Config{}).SettingsHash() {
		t.Errorf("docs/limits.md: the limits of modules differ from the engine's defaults: %+v", module.Limits)
	}
}

// unitOf returns how the unit of a setting begins in docs/limits.md, or "" if its kind does not decide it.
func unitOf(n *node) string {
	switch n.kind {
	case kindFlag:
		return "true or false"
	case kindBytes:
		return "bytes"
	case kindDuration:
		return "duration"
	case kindPercent:
		return "percent"
	}
	return ""
}

func TestFlagsNameSettings(t *testing.T) {
	all := schema.every("")
	for flag, key := range flagKeys {
		if !slices.Contains(all, key) {
			t.Errorf("--%s is for %s, which is no setting", flag, key)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add(Default)
	f.Add(settingInComment.ReplaceAll(Default, []byte("$1$2")))
	f.Add([]byte("a: &a [*a]\nlog: *a\n"))
	f.Add([]byte("listeners: &l {a: {handler: {limits: &x {fuel: 1}}, limits: *x}, b: *l}\n"))
	f.Add([]byte("? [a]\n: b\n--- \n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var problems collector
		s := parseFile(schema, os.DevNull, data, &problems)
		for key := range s.values {
			if n, _, known := schema.at(key); !known || n.section() {
				t.Errorf("took %q, which is no setting", key)
			}
		}
		if _, err := merge(&problems, s); err != nil && !isProblems(err) {
			t.Errorf("not a list of problems: %v", err)
		}
	})
}

func isProblems(err error) bool {
	var problems Problems
	return errors.As(err, &problems)
}
