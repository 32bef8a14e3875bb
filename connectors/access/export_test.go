package access

import (
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Waiting returns the number of logins that wait for an answer of the service.
func (h *HTTP) Waiting() int { return int(testutil.ToFloat64(h.metrics.waiting)) }

// SetCacheSize replaces cacheSize before the first login.
func (h *HTTP) SetCacheSize(n int) { h.cache.size = n }

// SetMaxInFlight replaces maxInFlight before the first login.
func (h *HTTP) SetMaxInFlight(n int) { h.slots = make(chan struct{}, n) }

// NewJWTRefreshing is NewJWT with another interval between refreshes of the keys.
func NewJWTRefreshing(cfg JWTConfig, every time.Duration) (*JWT, error) { return newJWT(cfg, every) }

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
