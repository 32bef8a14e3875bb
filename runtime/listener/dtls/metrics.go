package dtls

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts handshakes and drops between a DTLS client and its handler.
type Metrics struct {
	handshakes *prometheus.CounterVec
	dropped    *prometheus.CounterVec
	unverified *prometheus.GaugeVec
}

// NewMetrics creates a set and registers it with reg, unless reg is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_dtls_handshakes_total",
			Help: "DTLS handshakes by result: completed, failed, timeout, evicted (too many at once), refused, " +
				"closed, unproved (the source was silent after its first ClientHello).",
		}, []string{"listener", "result"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_dtls_dropped_total",
			Help: "Datagrams or records that were dropped between a DTLS client and its handler.",
		}, []string{"listener", "reason"}),
		unverified: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "exgate_dtls_unverified",
			Help: "Sources of a first ClientHello that have not proved their address yet.",
		}, []string{"listener"}),
	}
	if reg != nil {
		reg.MustRegister(m.handshakes, m.dropped, m.unverified)
	}
	return m
}

// Results of a handshake; the labels of exgate_dtls_handshakes_total.
const (
	handshakeCompleted = "completed"
	handshakeFailed    = "failed"
	handshakeTimeout   = "timeout"
	handshakeEvicted   = "evicted"
	handshakeRefused   = "refused"
	handshakeClosed    = "closed"
	handshakeUnproved  = "unproved"
)

// counters are the counters of one listener.
type counters struct {
	name string
	m    *Metrics
}

func (c counters) handshake(result string) { c.m.handshakes.WithLabelValues(c.name, result).Inc() }

func (c counters) drop(why drop) { c.m.dropped.WithLabelValues(c.name, string(why)).Inc() }

func (c counters) unverified(delta float64) { c.m.unverified.WithLabelValues(c.name).Add(delta) }
