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
	// Adapter counts the calls of handlers.
	Adapter *adapter.Metrics

	target  *target.Metrics
	caller  *callback.Metrics
	session *session.Metrics
}

// NewMetrics returns a set that is registered with reg unless reg is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	return &Metrics{
		Adapter: adapter.NewMetrics(reg), target: target.NewMetrics(reg), caller: callback.NewMetrics(reg),
		session: session.NewMetrics(reg),
	}
}
