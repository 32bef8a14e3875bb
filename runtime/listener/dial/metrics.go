package dial

import "github.com/prometheus/client_golang/prometheus"

// Results of dialing, as exgate_dials_total names them.
const (
	dialOK          = "ok"
	dialForbidden   = "forbidden"
	dialLimit       = "limit"
	dialDNS         = "dns"
	dialRefused     = "refused"
	dialUnreachable = "unreachable"
	dialTimeout     = "timeout"
	dialTLS         = "tls"
	dialHandler     = "handler"
	dialShort       = "short"
	dialFailed      = "failed"
)

var dialResults = [...]string{
	dialOK, dialForbidden, dialLimit, dialDNS, dialRefused, dialUnreachable, dialTimeout, dialTLS, dialHandler,
	dialShort, dialFailed,
}

// Why datagrams are dropped, as exgate_dial_datagrams_dropped_total names it.
const (
	lostOverRate = "over_rate"
	lostTooLong  = "send_too_long"
	lostNotSent  = "send_failed"
)

// Metrics counts what listeners dial.
type Metrics struct {
	targets *prometheus.GaugeVec
	up      *prometheus.GaugeVec
	wrong   *prometheus.GaugeVec
	dials   *prometheus.CounterVec
	lost    *prometheus.CounterVec
}

// NewMetrics makes a set and registers it with reg, unless reg is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	listener := []string{"listener"}
	m := &Metrics{
		targets: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "exgate_dial_targets", Help: "Targets in the list of a dial listener.",
		}, listener),
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "exgate_dial_targets_up", Help: "Targets of a dial listener that are connected.",
		}, listener),
		wrong: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "exgate_dial_targets_wrong", Help: "Lines in the list of a dial listener that are wrong.",
		}, listener),
		dials: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_dials_total",
			Help: "Attempts to connect to a target by result: ok, forbidden (its address may not be dialed), limit " +
				"(of connections or descriptors), dns, refused, unreachable, timeout, tls (handshake), handler (it " +
				"refused the connection), failed (anything else); and short, for connections that then ended within " +
				"a second.",
		}, []string{"listener", "result"}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "exgate_dial_datagrams_dropped_total",
			Help: "Datagrams of UDP targets that were dropped: over_rate (received above a limit), send_too_long, " +
				"send_failed (the socket did not accept it).",
		}, []string{"listener", "reason"}),
	}
	if reg != nil {
		reg.MustRegister(m.targets, m.up, m.wrong, m.dials, m.lost)
	}
	return m
}

// listenerMetrics are the metrics of one listener.
type listenerMetrics struct {
	targets, up, wrong prometheus.Gauge
	dials              map[string]prometheus.Counter // by result
	lost               map[string]prometheus.Counter // by reason
}

func (m *Metrics) listener(name string) *listenerMetrics {
	of := &listenerMetrics{
		targets: m.targets.WithLabelValues(name), up: m.up.WithLabelValues(name), wrong: m.wrong.WithLabelValues(name),
		dials: make(map[string]prometheus.Counter), lost: make(map[string]prometheus.Counter),
	}
	for _, result := range dialResults {
		of.dials[result] = m.dials.WithLabelValues(name, result)
	}
	for _, reason := range [...]string{lostOverRate, lostTooLong, lostNotSent} {
		of.lost[reason] = m.lost.WithLabelValues(name, reason)
	}
	return of
}
