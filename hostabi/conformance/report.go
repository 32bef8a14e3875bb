package conformance

import "fmt"

// Verdict is the outcome of a check.
type Verdict string

// The verdicts. A warning is something that an author should look at and that may be meant.
const (
	Pass Verdict = "pass"
	Warn Verdict = "warn"
	Fail Verdict = "fail"
)

// Check is one thing that was looked at.
type Check struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Why     string  `json:"why"` // what was seen, for a person
}

func (c Check) String() string { return fmt.Sprintf("%-4s %s: %s", c.Verdict, c.Name, c.Why) }

// Report is what the kit found, in the order of the checks.
type Report struct {
	Checks []Check `json:"checks"`
}

// OK reports that no check failed.
func (r Report) OK() bool { return r.Count(Fail) == 0 }

// Count is how many checks have a verdict.
func (r Report) Count(v Verdict) int {
	n := 0
	for _, c := range r.Checks {
		if c.Verdict == v {
			n++
		}
	}
	return n
}
