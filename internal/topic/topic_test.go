package topic_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/exgate/exgate/internal/topic"
)

func TestCheckName(t *testing.T) {
	for _, good := range []string{"a", "/", "a//b", "$SYS/x", "ü/日本", "a b"} {
		if err := topic.CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "a/+", "#", "a+b", "x\x00", "\xff", strings.Repeat("a", 65536),
		strings.Repeat("/", 128),
	} {
		if topic.CheckName(bad) == nil {
			t.Errorf("%.20q passes", bad)
		}
	}
}

func TestCheckFilter(t *testing.T) {
	for _, good := range []string{
		"a", "+", "#", "+/+/#", "/+", "a/#", "$share/g/a", "$share/g/#", "$SHARE/g/+/x",
		"/",
	} {
		if err := topic.CheckFilter(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "a#", "#/a", "a/#/b", "a+", "+a/b", "$share", "$share/g", "$share/g/", "$share//a", "$share/+/a",
		"$share/g/a#", "\x00",
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
	for filter, want := range map[string]string{
		"a/b": "a/b", "$share/g/a/#": "a/#", "$SHARE/g/x": "x",
		"$SYS/x": "$SYS/x",
	} {
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

// TestTextOfEveryRune asks the rule of MQTT 5, section 1.5.4, of every rune.
func TestTextOfEveryRune(t *testing.T) {
	for r := rune(0); r <= utf8.MaxRune; r++ {
		s := "é" + string(r) + "x"
		var want error
		switch {
		case r >= 0xd800 && r < 0xe000:
			s, want = "é"+string([]byte{0xed, 0x80 | byte(r>>6&0x3f), 0x80 | byte(r&0x3f)})+"x", topic.ErrUTF8
		case unicode.IsControl(r):
			want = topic.ErrControl
		case unicode.Is(unicode.Noncharacter_Code_Point, r):
			want = topic.ErrNoncharacter
		}
		if err := topic.CheckString("text", s); !errors.Is(err, want) {
			t.Fatalf("%U: %v, want %v", r, err, want)
		}
		if r == '+' || r == '#' {
			continue
		}
		for what, err := range map[string]error{
			"name": topic.CheckName(s), "filter": topic.CheckFilter(s), "client id": topic.CheckClientID(s),
			"received": topic.CheckReceived(s),
		} {
			if !errors.Is(err, want) {
				t.Fatalf("%U in a %s: %v, want %v", r, what, err, want)
			}
		}
	}
}

func TestLengths(t *testing.T) {
	long := strings.Repeat("x", topic.MaxString)
	for what, check := range map[string]func(string) error{
		"name": topic.CheckName, "filter": topic.CheckFilter, "client id": topic.CheckClientID,
		"received": topic.CheckReceived,
		"string":   func(s string) error { return topic.CheckString("username", s) },
		"password": func(s string) error { return topic.CheckBinary("password", s) },
	} {
		if err := check(long); err != nil {
			t.Errorf("%s of 65535 bytes: %.200v", what, err)
		}
		if err := check(long + "x"); !errors.Is(err, topic.ErrLong) {
			t.Errorf("%s of 65536 bytes: %.200v", what, err)
		}
	}
	if err := topic.CheckBinary("password", "\x00\xff"); err != nil {
		t.Errorf("a binary password: %v", err)
	}
	if err := topic.CheckReceived(strings.Repeat("/", 199)); err != nil {
		t.Errorf("a received topic with 200 levels: %v", err)
	}
}

func TestMount(t *testing.T) {
	for _, c := range []struct{ mount, filter, want string }{
		{"m/", "a/#", "m/a/#"},
		{"", "a/#", "a/#"},
		{"m/", "$share/g/a/#", "$share/g/m/a/#"},
		{"m/", "$SHARE/g/#", "$share/g/m/#"},
		{"", "$SHARE/g/#", "$share/g/#"},
		{"m/", "$SYS/#", "m/$SYS/#"},
	} {
		if got := topic.Mount(c.mount, c.filter); got != c.want {
			t.Errorf("%q under %q: %q, want %q", c.filter, c.mount, got, c.want)
		}
	}
}
