package remote

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// places bounds the callbacks under way. A connection has one at a time, and who waits is served in the order of coming: a channel's senders are a
// queue.
type places struct {
	taken   chan struct{}
	used    prometheus.Gauge
	waiting prometheus.Gauge
}

func newPlaces(n int, used, waiting prometheus.Gauge) *places {
	return &places{taken: make(chan struct{}, n), used: used, waiting: waiting}
}

// tryTake takes a place if one is free.
func (p *places) tryTake() bool {
	select {
	case p.taken <- struct{}{}:
		p.used.Inc()
		return true
	default:
		return false
	}
}

// take waits for a place until ctx ends.
func (p *places) take(ctx context.Context) error {
	p.waiting.Inc()
	defer p.waiting.Dec()
	select {
	case p.taken <- struct{}{}:
		p.used.Inc()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *places) leave() {
	p.used.Dec()
	<-p.taken
}

// takeAnyhow waits for a place however long that takes: a place is free after a callback's timeout at the latest.
func (p *places) takeAnyhow() {
	if !p.tryTake() {
		_ = p.take(context.Background())
	}
}
