package certs

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts reloads of certificate files.
type Metrics struct {
	reloads *prometheus.CounterVec
}

// NewMetrics creates a set and registers it with reg, unless reg is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "exgate_tls_reloads_total", Help: "Reloads of changed certificate files, by result: ok, failed.",
	}, []string{"listener", "result"})}
	if reg != nil {
		reg.MustRegister(m.reloads)
	}
	return m
}
