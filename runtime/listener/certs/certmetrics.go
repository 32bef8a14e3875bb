package certs

import "github.com/prometheus/client_golang/prometheus"

// CertMetrics counts reloads of certificate files.
type CertMetrics struct {
	reloads *prometheus.CounterVec
}

// NewCertMetrics makes a set and registers it with reg. If reg is nil, the set counts unseen.
func NewCertMetrics(reg prometheus.Registerer) *CertMetrics {
	m := &CertMetrics{reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "exgate_tls_reloads_total", Help: "Readings of changed certificate files by result: ok, failed.",
	}, []string{"listener", "result"})}
	if reg != nil {
		reg.MustRegister(m.reloads)
	}
	return m
}
