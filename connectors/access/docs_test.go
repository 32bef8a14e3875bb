package access_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/connectors/access"
)

// TestExamplesOfTheDocument reads what docs/access.md shows: the file, the answer of a service and the rules of a
// token.
func TestExamplesOfTheDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	files, answers, rules := 0, 0, 0
	for _, block := range regexp.MustCompile("(?s)```(yaml|json)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		example := block[2]
		switch {
		case strings.HasPrefix(example, "anonymous:"):
			files++
			f, meter := load(t, example), device("m-1", "meter")
			if !f.Allows(meter, access.Publish, "meters/m-1/x") || f.Allows(meter, access.Publish, "meters/m-1/key") {
				t.Error("the rules of the file are not what they seem")
			}
			if got := decide(t, f, "admin", "secret"); got != access.Allow {
				t.Errorf("admin: %v", got)
			}
		case strings.Contains(example, `"result"`):
			answers++
			if _, err := access.ParseAnswer([]byte(example)); err != nil {
				t.Error(err)
			}
		case strings.Contains(example, `"pub"`):
			rules++
			if _, err := access.ParseRules([]byte(example)); err != nil {
				t.Error(err)
			}
		case block[1] == "json":
			if err := json.Unmarshal([]byte(example), &map[string]string{}); err != nil {
				t.Error(err)
			}
		}
	}
	if files != 1 || answers != 1 || rules != 1 {
		t.Errorf("%d files, %d answers and %d rules are shown", files, answers, rules)
	}
}

// TestMetricsAreDocumented finds each of them in docs/access.md.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	m := access.NewMetrics(reg)
	_ = decide(t, m.Measure("allow", access.Everybody()), "u", "p")
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if !strings.Contains(string(text), "`"+f.GetName()+"`") {
			t.Errorf("docs/access.md does not have %s", f.GetName())
		}
	}
}
