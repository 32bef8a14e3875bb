package admission

import "github.com/prometheus/client_golang/prometheus"

// AdmissionMetrics counts refusals and bans.
type AdmissionMetrics struct {
	rejected *prometheus.CounterVec
	bans     *prometheus.CounterVec
	banned   *prometheus.GaugeVec
}

// NewAdmissionMetrics makes a set and registers it with reg. If reg is nil, the set counts unseen.
func NewAdmissionMetrics(reg prometheus.Registerer) *AdmissionMetrics {
	m := &AdmissionMetrics{
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_connections_rejected_total", Help: "Connections that were refused before they reached a handler.",
		}, []string{"listener", "reason"}),
		bans: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_bans_total", Help: "Bans of sources that kept failing handshakes or authentications.",
		}, []string{"listener"}),
		banned: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "exgate_banned_sources", Help: "Sources that are banned now.",
		}, []string{"listener"}),
	}
	if reg != nil {
		reg.MustRegister(m.rejected, m.bans, m.banned)
	}
	return m
}
