package listener

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what happens before a connection reaches the gateway.
type Metrics struct {
	dtls             dtlsMetrics
	acceptErrors     *prometheus.CounterVec
	datagramsDropped *prometheus.CounterVec
	rejected         *prometheus.CounterVec
	bans             *prometheus.CounterVec
	banned           *prometheus.GaugeVec
	handshakes       *prometheus.CounterVec
	reloads          *prometheus.CounterVec
	proxyRefused     *prometheus.CounterVec
}

// NewMetrics makes a set and registers it with reg. If reg is nil, the set counts unseen.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		acceptErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_accept_errors_total", Help: "Accepts that failed and were tried again after a pause.",
		}, []string{"address"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_connections_rejected_total", Help: "Connections that were refused before they reached a handler.",
		}, []string{"listener", "reason"}),
		bans: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_bans_total", Help: "Bans of sources that kept failing handshakes or authentications.",
		}, []string{"listener"}),
		banned: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "exgate_banned_sources", Help: "Sources that are banned now.",
		}, []string{"listener"}),
		handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_tls_handshakes_total",
			Help: "TLS handshakes by result: ok, failed, timeout, closed (the device left before it began), refused (by a limit), evicted (it made room for another) or busy (all wait for the processor).",
		}, []string{"listener", "result"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_tls_reloads_total", Help: "Readings of changed certificate files by result: ok, failed.",
		}, []string{"listener", "result"}),
		proxyRefused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_proxy_refused_total",
			Help: "Connections refused by their PROXY header: untrusted (source), malformed, timeout, busy (it made room for another).",
		}, []string{"listener", "reason"}),
		datagramsDropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_datagrams_dropped_total", Help: "UDP datagrams thrown away, in either direction, by reason.",
		}, []string{"listener", "reason"}),
	}
	m.dtls = newDTLSMetrics()
	if reg != nil {
		m.dtls.register(reg)
		reg.MustRegister(m.acceptErrors, m.datagramsDropped, m.rejected, m.bans, m.banned, m.handshakes, m.reloads, m.proxyRefused)
	}
	return m
}
