package session

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/target"
)

// orderNames name commands in metrics, with the word of ConnectionAdapter where that has one.
var orderNames = [UnknownOrder + 1]string{
	Send: "Send", Close: "Close", StartTimer: "StartTimer", Authenticate: "Authenticate", Publish: "Publish",
	Subscribe: "Subscribe", Unsubscribe: "Unsubscribe", RawPublish: "RawPublish", Pause: "Pause", Resume: "Resume",
	NoOrder: "none", UnknownOrder: "unknown",
}

// droppedKind is what is dropped.
type droppedKind uint8

const (
	sessionDroppedConn   droppedKind = iota // a command to a connection that is not there
	sessionDroppedAck                       // an acknowledgement of an event that was not sent
	sessionDroppedResult                    // a result whose stream has ended
	droppedKinds
)

var droppedNames = [droppedKinds]string{"unknown_conn", "future_ack", "late_result"}

// SessionMetrics count what only sessions count.
type SessionMetrics struct{ dropped *prometheus.CounterVec }

// NewSessionMetrics makes a set and registers it with reg, if that is not nil.
func NewSessionMetrics(reg prometheus.Registerer) *SessionMetrics {
	m := &SessionMetrics{dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "exgate_session_dropped_total", Help: "What remote handlers and the gateway said in sessions for nobody: see what.",
	}, []string{"handler", "what"})}
	if reg != nil {
		reg.MustRegister(m.dropped)
	}
	return m
}

// sessionCounters are the metrics of one handler's session.
type sessionCounters struct {
	handler     string
	commands    *prometheus.CounterVec
	failures    *prometheus.CounterVec
	undelivered *prometheus.CounterVec
	events      [Drain + 1]prometheus.Observer
	succeeded   [UnknownOrder + 1]prometheus.Counter
	lost        [droppedKinds]prometheus.Counter
	refused     prometheus.Counter
	retries     prometheus.Counter
	held        prometheus.Gauge
	untold      prometheus.Gauge
	now         time.Duration
	observe     func(Kind, time.Duration)
}

func newSessionCounters(t *target.Target, cfg SessionConfig) *sessionCounters {
	handler := t.Name
	m := &sessionCounters{
		handler: handler, commands: cfg.Commands, failures: t.Metrics.Failures, undelivered: t.Metrics.ClosedUndelivered,
		refused: t.Metrics.Refused.WithLabelValues(handler), retries: t.Metrics.Retries.WithLabelValues(handler),
		held: t.Metrics.Held.WithLabelValues(handler), untold: t.Metrics.ClosedWaiting.WithLabelValues(handler),
	}
	for kind, method := range map[Kind]string{
		Created: "OnSocketCreated", Bytes: "OnReceivedBytes", TimerTimeout: "OnTimerTimeout",
		Messages: "OnReceivedMessages", Closed: "OnSocketClosed", Drain: "OnDrain",
	} {
		m.events[kind] = t.Metrics.CallSeconds.WithLabelValues(handler, method)
	}
	for what, name := range droppedNames {
		m.lost[what] = cfg.Metrics.dropped.WithLabelValues(handler, name)
	}
	for order, name := range orderNames {
		if name == "" {
			continue // the numbers of other fields
		}
		m.succeeded[order] = cfg.Commands.WithLabelValues(handler, name, gateway.CodeSuccess.String())
	}
	m.observe = func(kind Kind, at time.Duration) { m.events[kind].Observe((m.now - at).Seconds()) }
	return m
}

// acknowledged returns what observes events that are acknowledged now. The caller holds the session's mu.
func (m *sessionCounters) acknowledged(now time.Duration) func(Kind, time.Duration) {
	m.now = now
	return m.observe
}

func (m *sessionCounters) command(order Order, result gateway.Result) {
	if result.Ok() {
		m.succeeded[order].Inc()
		return
	}
	m.commands.WithLabelValues(m.handler, orderNames[order], result.Code.String()).Inc()
}

func (m *sessionCounters) dropped(what droppedKind) { m.lost[what].Inc() }

// neverTold counts connections whose end the handler will not hear of.
func (m *sessionCounters) neverTold(why string, n int) {
	m.undelivered.WithLabelValues(m.handler, why).Add(float64(n))
}

// guilty counts a connection whose events end streams.
func (m *sessionCounters) guilty(reason gateway.CloseReason) {
	m.failures.WithLabelValues(m.handler, reason.Name).Inc()
}
