package conformance

import "fmt"

// Verdict is the outcome of a check.
type Verdict string

// The verdicts. A warning is something that the author should look at and may be intended.
const (
	Pass Verdict = "pass"
	Warn Verdict = "warn"
	Fail Verdict = "fail"
)

// Check is the outcome of one check.
type Check struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Why     string  `json:"why"` // what was seen
}

func (c Check) String() string { return fmt.Sprintf("%-4s %s: %s", c.Verdict, c.Name, c.Why) }

// Report contains the checks in the order they were run.
type Report struct {
	Checks []Check `json:"checks"`
}

// OK reports whether no check failed.
func (r Report) OK() bool { return r.Count(Fail) == 0 }

// Count returns the number of checks with a verdict.
func (r Report) Count(v Verdict) int {
	n := 0
	for _, c := range r.Checks {
		if c.Verdict == v {
			n++
		}
	}
	return n
}
