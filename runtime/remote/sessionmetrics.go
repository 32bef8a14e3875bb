package remote

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/internal/session"
)

// sessionCommand names a command in metrics, with the word of ConnectionAdapter where that has one.
type sessionCommand uint8

const (
	sessionSend sessionCommand = iota
	sessionClose
	sessionStartTimer
	sessionAuthenticate
	sessionPublish
	sessionSubscribe
	sessionUnsubscribe
	sessionRawPublish
	sessionPause
	sessionResume
	sessionUnknown
	sessionCommands
)

var sessionCommandNames = [sessionCommands]string{
	"Send", "Close", "StartTimer", "Authenticate", "Publish", "Subscribe", "Unsubscribe", "RawPublish", "Pause", "Resume", "unknown",
}

// What is dropped.
const (
	sessionDroppedConn   = "unknown_conn" // a command to a connection that is not there
	sessionDroppedAck    = "future_ack"   // an acknowledgement of an event that was not sent
	sessionDroppedResult = "late_result"  // a result whose stream has ended
)

// sessionMetrics are the counters of one handler's session.
type sessionMetrics struct {
	set       *Metrics
	handler   string
	events    [session.Drain + 1]prometheus.Observer
	succeeded [sessionCommands]prometheus.Counter
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
	for kind, name := range sessionCommandNames {
		m.succeeded[kind] = set.adapter.calls.WithLabelValues(handler, name, gateway.CodeSuccess.String())
	}
	m.observe = func(kind session.Kind, at time.Duration) { m.events[kind].Observe((m.now - at).Seconds()) }
	return m
}

// acknowledged returns what observes events that are acknowledged now. The caller holds the session's mu.
func (m *sessionMetrics) acknowledged(now time.Duration) func(session.Kind, time.Duration) {
	m.now = now
	return m.observe
}

func (m *sessionMetrics) command(kind sessionCommand, result gateway.Result) {
	if result.Ok() {
		m.succeeded[kind].Inc()
		return
	}
	m.set.adapter.calls.WithLabelValues(m.handler, sessionCommandNames[kind], result.Code.String()).Inc()
}

func (m *sessionMetrics) dropped(what string) { m.set.dropped.WithLabelValues(m.handler, what).Inc() }

// neverTold counts connections whose end the handler will not hear of.
func (m *sessionMetrics) neverTold(why string, n int) {
	m.set.delivery.neverTold.WithLabelValues(m.handler, why).Add(float64(n))
}
