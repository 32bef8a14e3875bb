package config

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
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

func TestDefaultFileIsTheDefaults(t *testing.T) {
	inFolder(t, string(Default))
	fromFile, fromNothing := mustLoad(t, Sources{File: "exgate.yaml"}), mustLoad(t, Sources{})
	demo := fromFile.Listeners["demo"]
	if got := demo.Gateway(); got != gateway.DefaultLimits {
		t.Errorf("limits %+v\nwant   %+v", got, gateway.DefaultLimits)
	}
	if demo.Kind() != "tcp" || demo.Socket.KeepAlive != time.Minute || !*demo.Socket.NoDelay || fromFile.Upstream.Embedded.MaxClients != 256 {
		t.Errorf("listener %+v upstream %+v", demo, fromFile.Upstream)
	}
	demo.Type, demo.Limits, demo.IdleTimeout, demo.Socket, demo.Handler.Limits = "", Limits{}, 0, Socket{}, GuestLimits{}
	fromFile.Upstream.Embedded.MaxClients = 0
	fromFile.Listeners["demo"] = demo
	fromFile.origins, fromNothing.origins = nil, nil
	if got, want := fmt.Sprintf("%+v", fromFile), fmt.Sprintf("%+v", fromNothing); got != want {
		t.Errorf("file     %s\ndefaults %s", got, want)
	}
}

func TestDefaultFileHasEverySetting(t *testing.T) {
	text := settingInComment.ReplaceAll(Default, []byte("$1$2"))
	documented := parsed(t, text).values
	for _, key := range schema.every("") {
		key = strings.ReplaceAll(key, "*", "demo")
		if _, ok := documented[key]; !ok {
			t.Errorf("default.yaml does not have %s", key)
		}
	}
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
