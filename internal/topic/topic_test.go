package topic_test

import (
	"strings"
	"testing"

	"github.com/exgate/exgate/internal/topic"
)

func TestCheckName(t *testing.T) {
	for _, good := range []string{"a", "/", "a//b", "$SYS/x", "ü/日本", "a b"} {
		if err := topic.CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "a/+", "#", "a+b", "x\x00", "\xff", strings.Repeat("a", 65536), strings.Repeat("/", 128)} {
		if topic.CheckName(bad) == nil {
			t.Errorf("%.20q passes", bad)
		}
	}
}

func TestCheckFilter(t *testing.T) {
	for _, good := range []string{"a", "+", "#", "+/+/#", "/+", "a/#", "$share/g/a", "$share/g/#", "$SHARE/g/+/x", "/"} {
		if err := topic.CheckFilter(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "a#", "#/a", "a/#/b", "a+", "+a/b", "$share", "$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/g/a#", "\x00",
		strings.Repeat("/", 128),
	} {
		if topic.CheckFilter(bad) == nil {
			t.Errorf("%.20q passes", bad)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		filter, name string
		want         bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a", "a/b", false},
		{"a/b", "a", false},
		{"+", "a", true},
		{"+", "a/b", false},
		{"+", "/a", false},
		{"+/+", "/a", true},
		{"/+", "/a", true},
		{"a/+/c", "a/b/c", true},
		{"a/+/c", "a/b/d", false},
		{"a/+", "a", false},
		{"a/+", "a/", true},
		{"#", "a/b/c", true},
		{"a/#", "a", true},
		{"a/#", "a/b/c", true},
		{"a/#", "ab", false},
		{"+/#", "a", true},
		{"#", "$SYS/x", false},
		{"+/x", "$SYS/x", false},
		{"$SYS/#", "$SYS/x", true},
	} {
		if got := topic.Matches(c.filter, c.name); got != c.want {
			t.Errorf("%q and %q: %v", c.filter, c.name, got)
		}
	}
}

func TestUnshare(t *testing.T) {
	for filter, want := range map[string]string{"a/b": "a/b", "$share/g/a/#": "a/#", "$SHARE/g/x": "x", "$SYS/x": "$SYS/x"} {
		inner, shared := topic.Unshare(filter)
		if inner != want || shared != (filter != want) {
			t.Errorf("%q: %q, %v", filter, inner, shared)
		}
	}
}

func FuzzMatches(f *testing.F) {
	f.Add("a/+/#", "a/b/c")
	f.Add("$share/g/+", "x")
	f.Fuzz(func(t *testing.T, filter, name string) {
		if topic.CheckFilter(filter) != nil || topic.CheckName(name) != nil {
			return
		}
		if inner, shared := topic.Unshare(filter); shared && topic.CheckFilter(inner) != nil && inner != "" {
			inner2, again := topic.Unshare(inner)
			if !again {
				t.Fatalf("%q holds the bad filter %q (%q)", filter, inner, inner2)
			}
		}
		if !topic.Matches(name, name) && !strings.HasPrefix(name, "$") {
			t.Fatalf("%q does not match itself", name)
		}
		if topic.Matches(filter, name) && strings.Count(filter, "/") > strings.Count(name, "/")+1 {
			t.Fatalf("%q matches the shorter %q", filter, name)
		}
	})
}
