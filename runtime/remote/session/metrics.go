package session

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/target"
)

// commandNames are the names of commands in metrics, as ConnectionAdapter spells them if it has them.
var commandNames = [unknownOrder + 1]string{
	orderSend:         "Send",
	orderClose:        "Close",
	orderStartTimer:   "StartTimer",
	orderSetTimer:     "SetTimer",
	orderSaveState:    "SaveState",
	orderAuthenticate: "Authenticate",
	orderPublish:      "Publish",
	orderSubscribe:    "Subscribe",
	orderUnsubscribe:  "Unsubscribe",
	orderRawPublish:   "RawPublish",
	orderPause:        "Pause",
	orderResume:       "Resume",
	noOrder:           "none",
	unknownOrder:      "unknown",
}

// droppedKind is a value of the label "what" of exgate_session_dropped_total.
type droppedKind uint8

const (
	droppedUnknownConn droppedKind = iota // a command for an unknown connection
	droppedFutureAck                      // an acknowledgement of an event that was not sent
	droppedLateResult                     // a result whose stream has ended
	droppedKinds
)

var droppedNames = [droppedKinds]string{"unknown_conn", "future_ack", "late_result"}

// Metrics counts what only sessions count.
type Metrics struct{ dropped *prometheus.CounterVec }

// NewMetrics returns a set that is registered with reg unless reg is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "exgate_session_dropped_total",
		Help: "Commands, acknowledgements and results that a session dropped, by kind.",
	}, []string{"handler", "what"})}
	if reg != nil {
		reg.MustRegister(m.dropped)
	}
	return m
}

// counters are the metrics of one handler.
type counters struct {
	handler       string
	commands      *prometheus.CounterVec
	failures      *prometheus.CounterVec
	undelivered   *prometheus.CounterVec
	events        [alarmEvent + 1]prometheus.Observer
	succeeded     [unknownOrder + 1]prometheus.Counter
	lost          [droppedKinds]prometheus.Counter
	refused       prometheus.Counter
	retries       prometheus.Counter
	held          prometheus.Gauge
	closesWaiting prometheus.Gauge
	now           time.Duration
	observe       func(eventKind, time.Duration)
}

func newCounters(t *target.Target, cfg Config) *counters {
	handler := t.Name
	m := &counters{
		handler: handler, commands: cfg.Commands, failures: t.Metrics.Failures,
		undelivered: t.Metrics.ClosedUndelivered,
		refused:     t.Metrics.Refused.WithLabelValues(handler), retries: t.Metrics.Retries.WithLabelValues(handler),
		held: t.Metrics.Held.WithLabelValues(handler), closesWaiting: t.Metrics.ClosedWaiting.WithLabelValues(handler),
	}
	for kind, method := range map[eventKind]string{
		createdEvent: "OnSocketCreated", bytesEvent: "OnReceivedBytes", timerEvent: "OnTimerTimeout",
		messagesEvent: "OnReceivedMessages", closedEvent: "OnSocketClosed", drainEvent: "OnDrain",
		alarmEvent: "OnAlarm",
	} {
		m.events[kind] = t.Metrics.CallSeconds.WithLabelValues(handler, method)
	}
	for what, name := range droppedNames {
		m.lost[what] = cfg.Metrics.dropped.WithLabelValues(handler, name)
	}
	for order, name := range commandNames {
		if name == "" {
			continue // not an order
		}
		m.succeeded[order] = cfg.Commands.WithLabelValues(handler, name, gateway.CodeSuccess.String())
	}
	m.observe = func(kind eventKind, at time.Duration) { m.events[kind].Observe((m.now - at).Seconds()) }
	return m
}

// acknowledged returns an observer of events that are acknowledged now. The caller holds Session.mu.
func (m *counters) acknowledged(now time.Duration) func(eventKind, time.Duration) {
	m.now = now
	return m.observe
}

func (m *counters) command(order order, result gateway.Result) {
	if result.Ok() {
		m.succeeded[order].Inc()
		return
	}
	m.commands.WithLabelValues(m.handler, commandNames[order], result.Code.String()).Inc()
}

func (m *counters) dropped(what droppedKind) { m.lost[what].Inc() }

// countUndelivered counts closes that were given up.
func (m *counters) countUndelivered(why string, n int) {
	m.undelivered.WithLabelValues(m.handler, why).Add(float64(n))
}

// guilty counts a connection whose events end streams.
func (m *counters) guilty(reason gateway.CloseReason) {
	m.failures.WithLabelValues(m.handler, reason.Name).Inc()
}
