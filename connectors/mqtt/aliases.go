package mqtt

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/connectors/mqtt/client"
)

// The configuration and the metrics are the client's.
type (
	Config      = client.Config
	Status      = client.Status
	SpoolConfig = client.SpoolConfig
	Metrics     = client.Metrics
	Refused     = client.Refused
)

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
