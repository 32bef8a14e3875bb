package mqtt

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/connectors/mqtt/client"
	"github.com/exgate/exgate/connectors/mqtt/shared"
)

type (
	// Config configures the connector; see [client.Config].
	Config = client.Config
	// Status is what a will and a status message are published with; see [client.Status].
	Status = client.Status
	// SpoolConfig configures the messages on disk; see [client.SpoolConfig].
	SpoolConfig = client.SpoolConfig
	// Metrics are the connector's metrics; see [client.Metrics].
	Metrics = client.Metrics
	// Refused is a stored message that the broker refused; see [client.Refused].
	Refused = client.Refused
)

// SharedConfig configures [Connector.Shared].
type SharedConfig = shared.Config

// NewMetrics registers the metrics with reg. If reg is nil, they are not registered.
func NewMetrics(reg prometheus.Registerer) *Metrics { return client.NewMetrics(reg) }

// ListRefused returns the refused messages below a spool's folder; see [client.ListRefused].
func ListRefused(folder string) ([]Refused, error) { return client.ListRefused(folder) }

// DropRefused deletes a refused message.
func DropRefused(folder, id string) error { return client.DropRefused(folder, id) }

// ResendRefused publishes a refused message; see [client.ResendRefused].
func ResendRefused(ctx context.Context, cfg Config, m Refused) error {
	return client.ResendRefused(ctx, cfg, m)
}
