package admission

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// refusal says why a connection was refused; its name is the metric's label.
type refusal uint8

const (
	admitted refusal = iota
	refusedAccess
	refusedBan
	refusedMaxConnections
	refusedMaxPerSource
	refusedMaxTotal
	refusedRate
	refusedDescriptors
	refusals // how many there are
)

func (r refusal) String() string {
	return [refusals]string{
		"admitted", "access_denied", "banned", "max_connections", "max_per_source", "max_total", "connection_rate",
		"no_descriptors",
	}[r]
}

// refusalLogInterval is the minimum time between two log lines for one listener and reason: refusals may come in
// floods.
const refusalLogInterval = 10 * time.Second

// refusalLog counts every refusal and logs some.
type refusalLog struct {
	log    *slog.Logger
	counts [refusals]struct {
		counter    prometheus.Counter
		nextLine   atomic.Int64 // unix nanoseconds
		suppressed atomic.Int64
	}
}

func newRefusalLog(listener string, log *slog.Logger, m *Metrics) *refusalLog {
	l := &refusalLog{log: log}
	for r := admitted + 1; r < refusals; r++ {
		l.counts[r].counter = m.rejected.WithLabelValues(listener, r.String())
	}
	return l
}

func (l *refusalLog) refused(r refusal, from source) {
	c := &l.counts[r]
	c.counter.Inc()
	now, next := time.Now(), c.nextLine.Load()
	if now.UnixNano() < next || !c.nextLine.CompareAndSwap(next, now.Add(refusalLogInterval).UnixNano()) {
		c.suppressed.Add(1)
		return
	}
	l.log.Warn("connection refused", "reason", r.String(), "source", from.String(), "suppressed", c.suppressed.Swap(0))
}
