package conformance_test

import (
	"testing"

	"github.com/exgate/exgate/hostabi/conformance"
)

// TestWrongGuestsAreFoundOut runs testdata/wrong.c, which is wrong in the way that its configuration says.
func TestWrongGuestsAreFoundOut(t *testing.T) {
	cases := []struct {
		wrong, check string
		verdict      conformance.Verdict
	}{
		{"r", "start", conformance.Fail},
		{"e", "bytes_empty", conformance.Fail},
		{"1", "bytes_single", conformance.Fail},
		{"b", "bytes_largest", conformance.Fail},
		{"u", "bytes_without_end", conformance.Fail},
		{"p", "bytes_in_pieces", conformance.Warn},
		{"z", "connections_together", conformance.Warn},
		{"E", "memory_events", conformance.Fail},
		{"c", "memory_connections", conformance.Fail},
		{"a", "actions_valid", conformance.Fail},
		{"f", "calls_own_connections", conformance.Fail},
		{"i", "calls_own_connections", conformance.Fail},
		{"L", "calls_open_connections", conformance.Fail},
		{"C", "calls_in_closed", conformance.Warn},
		{"t", "timer", conformance.Fail},
		{"m", "messages_none", conformance.Fail},
		{"M", "messages_largest", conformance.Fail},
		{"o", "messages_over_limit", conformance.Warn},
		{"n", "fields_unknown", conformance.Fail},
		{"T", "results_unknown", conformance.Fail},
		{"R", "results_refused", conformance.Fail},
		{"d", "drain", conformance.Fail},
		{"k", "kinds_unknown", conformance.Fail},
		{"l", "calls_limit", conformance.Fail},
	}
	for _, c := range cases {
		t.Run(c.check+"/"+c.wrong, func(t *testing.T) {
			t.Parallel()
			// what is looked for in all scenarios needs a few
			only := []string{c.check, "bytes_samples", "results_refused"}
			r := report(t, "testdata/wrong.wasm", conformance.Options{Config: []byte(c.wrong), Only: only})
			for _, check := range r.Checks {
				if check.Name == c.check && check.Verdict == c.verdict {
					return
				}
			}
			t.Errorf("no %s of %s in:\n%v", c.verdict, c.check, r.Checks)
		})
	}
}

func TestAGuestThatOnlyEchoesPasses(t *testing.T) {
	r := report(t, "testdata/wrong.wasm", conformance.Options{Config: []byte("-")})
	if !r.OK() || r.Count(conformance.Warn) != 1 { // the fuel, which this host does not meter
		t.Errorf("%v", r.Checks)
	}
}
