package access

import "github.com/prometheus/client_golang/prometheus/testutil"

// Waiting counts who waits for an answer of the service.
func (h *HTTP) Waiting() int { return int(testutil.ToFloat64(h.metrics.waiting)) }

// For fuzzing.
var (
	ParseAnswer = parseAnswer
	ParseRules  = parseRules
	ParseJWKS   = parseJWKS
	ParseFile   = func(text []byte) error {
		_, err := parseFile("auth.yaml", text)
		return err
	}
)
