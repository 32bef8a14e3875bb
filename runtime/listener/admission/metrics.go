package admission

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts refusals and bans.
type Metrics struct {
	rejected *prometheus.CounterVec
	bans     *prometheus.CounterVec
	banned   *prometheus.GaugeVec
}

// NewMetrics creates a set and registers it with reg, unless reg is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_connections_rejected_total",
			Help: "Connections that were refused before they reached a handler.",
		}, []string{"listener", "reason"}),
		bans: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_bans_total", Help: "Bans of sources that kept failing handshakes or authentications.",
		}, []string{"listener"}),
		banned: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "exgate_banned_sources", Help: "Sources currently banned.",
		}, []string{"listener"}),
	}
	if reg != nil {
		reg.MustRegister(m.rejected, m.bans, m.banned)
	}
	return m
}
