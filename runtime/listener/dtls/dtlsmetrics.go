package dtls

import "github.com/prometheus/client_golang/prometheus"

// DTLSMetrics counts handshakes and what is dropped between a DTLS client and its handler.
type DTLSMetrics struct {
	handshakes *prometheus.CounterVec
	dropped    *prometheus.CounterVec
	unverified *prometheus.GaugeVec
}

// NewDTLSMetrics makes a set and registers it with reg. If reg is nil, the set counts unseen.
func NewDTLSMetrics(reg prometheus.Registerer) *DTLSMetrics {
	m := &DTLSMetrics{
		handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_dtls_handshakes_total",
			Help: "DTLS handshakes by result: completed, failed, timeout, evicted (too many at once), refused, closed, unproved (the source was silent after its first ClientHello).",
		}, []string{"listener", "result"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_dtls_dropped_total", Help: "Datagrams or records that were dropped between a DTLS client and its handler.",
		}, []string{"listener", "reason"}),
		unverified: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "exgate_dtls_unverified", Help: "Sources of a first ClientHello that have not proved their address yet.",
		}, []string{"listener"}),
	}
	if reg != nil {
		reg.MustRegister(m.handshakes, m.dropped, m.unverified)
	}
	return m
}

// How a handshake ended; the labels of exgate_dtls_handshakes_total.
const (
	handshakeCompleted = "completed"
	handshakeFailed    = "failed"
	handshakeTimeout   = "timeout"
	handshakeEvicted   = "evicted"
	handshakeRefused   = "refused"
	handshakeClosed    = "closed"
	handshakeUnproved  = "unproved"
)

// dtlsCounters are one listener's.
type dtlsCounters struct {
	name string
	m    *DTLSMetrics
}

func (c dtlsCounters) handshake(result string) { c.m.handshakes.WithLabelValues(c.name, result).Inc() }

func (c dtlsCounters) drop(why drop) { c.m.dropped.WithLabelValues(c.name, string(why)).Inc() }

func (c dtlsCounters) unverified(delta float64) { c.m.unverified.WithLabelValues(c.name).Add(delta) }
