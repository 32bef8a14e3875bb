package client

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/connectors/internal/spool"
	"github.com/exgate/exgate/runtime/gateway"
)

// Reasons for dropped messages and lost connections.
const (
	dropDown       = "upstream_down"
	dropDeviceFull = "device_queue_full"
	dropRefused    = "spooled_refused"
	dropExpired    = "spooled_expired"
	DropDenied     = "denied"
	dropBadTopic   = "bad_topic" // in a message from the broker

	lossTakenOver  = "taken_over"
	lossRepeated   = "three_losses"
	lossBroker     = "broker_disconnected"
	lossUnanswered = "unanswered"
	lossTooLarge   = "packet_too_large"
	lossNetwork    = "network"
	lossProtocol   = "protocol_error" // the broker broke the rules of MQTT 5
	lossTrial      = "suspect_alone"
)

// Metrics has the metrics of Connectors.
type Metrics struct {
	sessions            prometheus.Gauge
	connects            *prometheus.CounterVec // by result: ok, refused, failed
	losses              *prometheus.CounterVec // by reason
	reconnects          prometheus.Counter
	published           *prometheus.CounterVec // by qos
	received            prometheus.Counter
	dropped             *prometheus.CounterVec // by reason
	resent              prometheus.Counter
	resubscribesRefused prometheus.Counter
	convicted           *prometheus.CounterVec // by call

	Spool *spool.Metrics

	all []prometheus.Collector // without those of the spool
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, each := range m.all {
		each.Describe(ch)
	}
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, each := range m.all {
		each.Collect(ch)
	}
}

// NewMetrics registers the metrics with reg. If reg is nil, they are not registered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "exgate_mqtt_" + name, Help: help})
	}
	vector := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "exgate_mqtt_" + name, Help: help},
			[]string{label})
	}
	m := &Metrics{
		sessions: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "exgate_mqtt_sessions",
			Help: "Devices with a session at the broker.",
		}),
		connects:   vector("connects_total", "CONNECTs for new devices, by result.", "result"),
		losses:     vector("losses_total", "Connections to the broker that were lost, by reason.", "reason"),
		reconnects: counter("reconnects_total", "Connections to the broker that were opened again."),
		published:  vector("published_total", "Messages that devices published, by QoS.", "qos"),
		received:   counter("received_total", "Messages that the broker sent for devices."),
		dropped:    vector("dropped_total", "Messages that were dropped, by reason.", "reason"),
		resent:     counter("resent_total", "Publishes that were sent again over a new connection."),
		resubscribesRefused: counter("resubscribes_refused_total",
			"Subscriptions that the broker refused after a reconnect."),
		convicted: vector("calls_convicted_total",
			"Calls that were refused because the broker ended the connection for them, by call.", "call"),
		Spool: spool.NewMetrics(reg),
	}
	m.all = []prometheus.Collector{
		m.sessions, m.connects, m.losses, m.reconnects, m.published, m.received, m.dropped, m.resent,
		m.resubscribesRefused, m.convicted,
	}
	if reg != nil {
		reg.MustRegister(m)
	}
	return m
}

// counters has Metrics with the hot path's labels resolved.
type counters struct {
	*Metrics
	publishedQoS [3]prometheus.Counter
}

func newCounters(m *Metrics) *counters {
	c := &counters{Metrics: m}
	for qos, label := range [3]string{"0", "1", "2"} {
		c.publishedQoS[qos] = m.published.WithLabelValues(label)
	}
	return c
}

// CountDropped counts a dropped message.
func (b *Broker) CountDropped(reason string) { b.metrics.dropped.WithLabelValues(reason).Inc() }

// CountTakeover counts a session that ended because its device logged in at another gateway.
func (b *Broker) CountTakeover() { b.metrics.losses.WithLabelValues(lossTakenOver).Inc() }

// CountSessions adds to the number of sessions.
func (b *Broker) CountSessions(n int) { b.metrics.sessions.Add(float64(n)) }

// CountLogin counts the result of a device's login.
func (b *Broker) CountLogin(err error) {
	c := b.metrics
	var refused *gateway.ResultError
	switch {
	case err == nil:
		c.connects.WithLabelValues("ok").Inc()
	case errors.As(err, &refused):
		c.connects.WithLabelValues("refused").Inc()
	default:
		c.connects.WithLabelValues("failed").Inc()
	}
}
