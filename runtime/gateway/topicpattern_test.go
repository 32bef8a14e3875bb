package gateway

import (
	"strings"
	"testing"
)

func TestTopicPattern(t *testing.T) {
	device := &Device{ClientInfo: ClientInfo{ClientID: "c1", Username: "u/+"}, Listener: "meters", Module: "m"}
	for _, test := range []struct {
		pattern, name string
		covers        bool
	}{
		{"up/${clientid}/#", "up/c1", true},
		{"up/${clientid}/#", "up/c1/a/+", true},
		{"up/${clientid}/#", "up/c2/a", false},
		{"up/${clientid}", "up/+", false},
		{"${listener}/${module}", "meters/m", true},
		{"x/${username}", "x/u/+", false},
		{"x/+", "x/y", true},
		{"x/+", "x/#", false},
		{"x/+", "x/+", true},
		{"x/+", "x", false},
		{"#", "$SYS/a", false},
		{"#", "#", true},
		{"a-${clientid}-b", "a-c1-b", true},
	} {
		p, err := ParseTopicPattern(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Covers(test.name, device); got != test.covers {
			t.Errorf("%s covers %s: %v", test.pattern, test.name, got)
		}
	}
}

func TestTopicPatternErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                "topic is required",
		"a/#/b":           "'#' must be the last level",
		"a/${clientId}":   "${clientId} is neither",
		"a/${clientid":    "${clientid is neither",
		"$share/g/a":      "without $share/GROUP/",
		"$SHARE/g/a":      "without $share/GROUP/",
		"a/x+${module}":   "'+' a whole level",
		"a\x00/${module}": "control characters",
	} {
		if _, err := ParseTopicPattern(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}
