package callback

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/target"
)

// Caller calls the methods of a handler, one call for each event. The dialects of ExProto share it.
type Caller struct {
	*target.Target
	traffic    *traffic
	closes     *pendingCloses
	directory  Directory
	streamSets int
	probing    bool
	metrics    *Metrics
}

// Directory lists connections for the calls of the handler.
type Directory interface {
	Add(id string, conn gateway.ConnectionAdapter)
	Remove(id string)
}

// Config configures a Caller.
type Config struct {
	// Directory lists each connection from OnSocketCreated until OnSocketClosed has been delivered. Required.
	Directory Directory
	// StreamSets is the number of stream sets that the connections to a backend share. If zero, each event has a stream
	// of its own, provided that the handler answers it.
	StreamSets int
	// Probing makes OnSocketCreated fail with an [AbsentError] if the handler lacks that method, because it may speak
	// another dialect.
	Probing bool
	// Metrics counts calls. Required.
	Metrics *Metrics
}

// New returns a Caller for the handler t.
func New(t *target.Target, cfg Config) *Caller {
	c := &Caller{
		Target: t, traffic: cfg.Metrics.traffic(t), directory: cfg.Directory, streamSets: cfg.StreamSets,
		probing: cfg.Probing, metrics: cfg.Metrics,
	}
	undelivered := t.Metrics.ClosedUndelivered.MustCurryWith(prometheus.Labels{"handler": t.Name})
	c.closes = newPendingCloses(c.attemptClose, t.Log, t.Metrics.ClosedWaiting.WithLabelValues(t.Name), undelivered)
	return c
}

// Close waits until all pending closes are delivered, at most 2 s or until ctx ends.
func (c *Caller) Close(ctx context.Context) { c.closes.close(ctx) }

// Drop gives up the remaining pending closes. Call it after closing the pool.
func (c *Caller) Drop() { c.closes.drop() }
