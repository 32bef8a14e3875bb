package callback

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/target"
)

// Caller brings events to the methods of a handler, one call an event. It is what the dialects of ExProto share.
type Caller struct {
	*target.Target
	traffic    *traffic
	closes     *pendingCloses
	directory  Directory
	streamSets int
	probing    bool
	metrics    *Metrics
}

// Directory finds connections for calls of the handler.
type Directory interface {
	Add(id string, conn gateway.ConnectionAdapter)
	Remove(id string)
}

// Config configures a Caller.
type Config struct {
	// Directory holds the connections from OnSocketCreated until OnSocketClosed was delivered.
	Directory Directory
	// StreamSets is how many sets of streams the connections to a backend share. If zero, each event has a stream of its own if the handler answers
	// it.
	StreamSets int
	// Probing has OnSocketCreated fail with an [AbsentError] where the handler does not have that method: another dialect may have it.
	Probing bool
	// Metrics is required.
	Metrics *Metrics
}

// New returns a Caller for the handler t.
func New(t *target.Target, cfg Config) *Caller {
	c := &Caller{
		Target: t, traffic: cfg.Metrics.traffic(t), directory: cfg.Directory, streamSets: cfg.StreamSets, probing: cfg.Probing, metrics: cfg.Metrics,
	}
	undelivered := t.Metrics.ClosedUndelivered.MustCurryWith(prometheus.Labels{"handler": t.Name})
	c.closes = newPendingCloses(c.attemptClose, t.Log, t.Metrics.ClosedWaiting.WithLabelValues(t.Name), undelivered)
	return c
}

// Close gives the handler up to 2 s to take the ends of connections that wait for it, or until ctx ends.
func (c *Caller) Close(ctx context.Context) { c.closes.close(ctx) }

// Drop gives up the ends of connections that still wait. Call it once the pool is closed.
func (c *Caller) Drop() { c.closes.drop() }
