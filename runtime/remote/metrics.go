package remote

import (
	"github.com/exgate/exgate/runtime/remote/adapter"
	"github.com/exgate/exgate/runtime/remote/callback"
	"github.com/exgate/exgate/runtime/remote/session"
	"github.com/exgate/exgate/runtime/remote/target"
)

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts calls to handlers and from them. One set may serve any number of clients and adapters.
type Metrics struct {
	// Adapter is the part that adapters count with.
	Adapter *adapter.Metrics

	target  *target.Metrics
	caller  *callback.Metrics
	session *session.Metrics
}

// NewMetrics makes a set and registers it with reg. If reg is nil, the set counts unseen.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	return &Metrics{Adapter: adapter.NewMetrics(reg), target: target.NewMetrics(reg), caller: callback.NewMetrics(reg), session: session.NewMetrics(reg)}
}
