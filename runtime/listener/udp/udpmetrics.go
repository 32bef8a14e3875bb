package udp

import "github.com/prometheus/client_golang/prometheus"

// UDPMetrics counts dropped datagrams.
type UDPMetrics struct {
	datagramsDropped *prometheus.CounterVec
}

// NewUDPMetrics makes a set and registers it with reg. If reg is nil, the set counts unseen.
func NewUDPMetrics(reg prometheus.Registerer) *UDPMetrics {
	m := &UDPMetrics{datagramsDropped: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "exgate_datagrams_dropped_total", Help: "UDP datagrams thrown away, in either direction, by reason.",
	}, []string{"listener", "reason"})}
	if reg != nil {
		reg.MustRegister(m.datagramsDropped)
	}
	return m
}
