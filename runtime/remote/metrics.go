package remote

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts calls to handlers and from them. One set may serve any number of clients and adapters.
type Metrics struct {
	// Adapter is the part that adapters count with.
	Adapter *AdapterMetrics

	target  *TargetMetrics
	caller  *CallerMetrics
	session *SessionMetrics
}

// NewMetrics makes a set and registers it with reg. If reg is nil, the set counts unseen.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	return &Metrics{Adapter: NewAdapterMetrics(reg), target: NewTargetMetrics(reg), caller: NewCallerMetrics(reg), session: NewSessionMetrics(reg)}
}
