package capture

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts captures. One set serves all points.
type Metrics struct {
	connections *prometheus.CounterVec
	bytes       *prometheus.CounterVec
	cuts        *prometheus.CounterVec
}

// NewMetrics creates a set and registers it with reg. If reg is nil, the set is not registered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		connections: counter("exgate_capture_connections_total", "Connections whose capture began.", "listener"),
		bytes:       counter("exgate_capture_bytes_total", "Bytes of captures written.", "listener"),
		cuts: counter("exgate_capture_cut_total",
			"Captures of connections that ended before the connection, by reason.", "listener", "why"),
	}
	if reg != nil {
		reg.MustRegister(m.connections, m.bytes, m.cuts)
	}
	return m
}

var cutNames = map[string]string{
	cutFull: "full", cutSlow: "slow", cutFailed: "failed", cutNoLogin: "no_login", cutLogins: "passwords",
	cutLarge: "too_large", cutMemory: "memory", cutEnded: "ended",
}

func (m *Metrics) cut(listener, why string) { m.cuts.WithLabelValues(listener, cutNames[why]).Inc() }
