package remote

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/session"
)

// orderNames name commands in metrics, with the word of ConnectionAdapter where that has one.
var orderNames = [session.UnknownOrder + 1]string{
	session.Send: "Send", session.Close: "Close", session.StartTimer: "StartTimer", session.Authenticate: "Authenticate", session.Publish: "Publish",
	session.Subscribe: "Subscribe", session.Unsubscribe: "Unsubscribe", session.RawPublish: "RawPublish", session.Pause: "Pause", session.Resume: "Resume",
	session.NoOrder: "none", session.UnknownOrder: "unknown",
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

// sessionMetrics are the counters of one handler's session.
type sessionMetrics struct {
	set       *Metrics
	handler   string
	events    [session.Drain + 1]prometheus.Observer
	succeeded [session.UnknownOrder + 1]prometheus.Counter
	lost      [droppedKinds]prometheus.Counter
	retries   prometheus.Counter
	held      prometheus.Gauge
	untold    prometheus.Gauge
	now       time.Duration
	observe   func(session.Kind, time.Duration)
}

func newSessionMetrics(set *Metrics, handler string) *sessionMetrics {
	m := &sessionMetrics{
		set: set, handler: handler, retries: set.delivery.retries.WithLabelValues(handler),
		held: set.delivery.held.WithLabelValues(handler), untold: set.delivery.untold.WithLabelValues(handler),
	}
	for kind, method := range map[session.Kind]string{
		session.Created: "OnSocketCreated", session.Bytes: "OnReceivedBytes", session.TimerTimeout: "OnTimerTimeout",
		session.Messages: "OnReceivedMessages", session.Closed: "OnSocketClosed", session.Drain: "OnDrain",
	} {
		m.events[kind] = set.callSeconds.WithLabelValues(handler, method)
	}
	for what, name := range droppedNames {
		m.lost[what] = set.dropped.WithLabelValues(handler, name)
	}
	for order, name := range orderNames {
		if name == "" {
			continue // the numbers of other fields
		}
		m.succeeded[order] = set.adapter.calls.WithLabelValues(handler, name, gateway.CodeSuccess.String())
	}
	m.observe = func(kind session.Kind, at time.Duration) { m.events[kind].Observe((m.now - at).Seconds()) }
	return m
}

// acknowledged returns what observes events that are acknowledged now. The caller holds the session's mu.
func (m *sessionMetrics) acknowledged(now time.Duration) func(session.Kind, time.Duration) {
	m.now = now
	return m.observe
}

func (m *sessionMetrics) command(order session.Order, result gateway.Result) {
	if result.Ok() {
		m.succeeded[order].Inc()
		return
	}
	m.set.adapter.calls.WithLabelValues(m.handler, orderNames[order], result.Code.String()).Inc()
}

func (m *sessionMetrics) dropped(what droppedKind) { m.lost[what].Inc() }

// neverTold counts connections whose end the handler will not hear of.
func (m *sessionMetrics) neverTold(why string, n int) {
	m.set.delivery.neverTold.WithLabelValues(m.handler, why).Add(float64(n))
}

// guilty counts a connection whose events end streams.
func (m *sessionMetrics) guilty(reason gateway.CloseReason) {
	m.set.failures.WithLabelValues(m.handler, reason.Name).Inc()
}
