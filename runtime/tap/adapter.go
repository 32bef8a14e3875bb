package tap

import (
	"sync"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// tapped is the adapter of a connection that records calls and their results.
type tapped struct {
	inner   gateway.ConnectionAdapter
	started time.Time

	mu    sync.Mutex // guards the fields below
	sink  Sink       // nil after the last record
	calls uint32
}

var _ gateway.ConnectionAdapter = (*tapped)(nil)

func newTapped(adapter gateway.ConnectionAdapter, sink Sink) *tapped {
	return &tapped{inner: adapter, started: time.Now(), sink: sink}
}

func (t *tapped) record(r *Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.add(r)
}

// add passes r to the sink. The caller holds mu.
func (t *tapped) add(r *Record) {
	if t.sink == nil {
		return
	}
	r.At = time.Since(t.started)
	t.sink.Record(r)
}

// end stops recording after the last event. Later calls are refused by the gateway.
func (t *tapped) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sink = nil
}

// event records r, runs do and records its end.
func (t *tapped) event(r *Record, do func() error) (err error) {
	t.record(r)
	defer func() { t.record(&Record{Kind: Handled, Err: err}) }()
	return do()
}

// call records r and returns its number.
func (t *tapped) call(r *Record) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls++
	r.Call = t.calls
	t.add(r)
	return r.Call
}

// refused records r unless it is success, and returns it.
func (t *tapped) refused(call uint32, r gateway.Result) gateway.Result {
	if !r.Ok() {
		t.record(&Record{Kind: Result, Call: call, Result: r, Refused: true})
	}
	return r
}

// outcome returns a callback that records the result and passes it to done.
func (t *tapped) outcome(call uint32, done gateway.Done) gateway.Done {
	if done == nil {
		return nil
	}
	return func(r gateway.Result) {
		t.record(&Record{Kind: Result, Call: call, Result: r})
		done(r)
	}
}

func (t *tapped) ID() string { return t.inner.ID() }

func (t *tapped) Send(b []byte) gateway.Result {
	n := t.call(&Record{Kind: Send, Data: b})
	return t.refused(n, t.inner.Send(b))
}

func (t *tapped) Close(reason gateway.CloseReason) gateway.Result {
	n := t.call(&Record{Kind: Close, Reason: reason})
	return t.refused(n, t.inner.Close(reason))
}

func (t *tapped) StartTimer(timer gateway.TimerType, seconds uint32) gateway.Result {
	n := t.call(&Record{Kind: StartTimer, Timer: timer, Seconds: seconds})
	return t.refused(n, t.inner.StartTimer(timer, seconds))
}

func (t *tapped) SetTimer(id uint32, ms int32) gateway.Result {
	n := t.call(&Record{Kind: SetTimer, Alarm: id, Millis: ms})
	return t.refused(n, t.inner.SetTimer(id, ms))
}

func (t *tapped) Authenticate(client gateway.ClientInfo, password string, done gateway.Done) gateway.Result {
	n := t.call(&Record{Kind: Authenticate, Client: client, Password: password, Wanted: done != nil})
	return t.refused(n, t.inner.Authenticate(client, password, t.loggedIn(n, done)))
}

// loggedIn is outcome for a login, whose result comes with the state of the device.
func (t *tapped) loggedIn(call uint32, done gateway.Done) gateway.Done {
	if done == nil {
		return nil
	}
	return func(r gateway.Result) {
		t.record(&Record{Kind: Result, Call: call, Result: r, Data: t.inner.State()})
		done(r)
	}
}

func (t *tapped) State() []byte { return t.inner.State() }

func (t *tapped) SaveState(value []byte, done gateway.Done) gateway.Result {
	n := t.call(&Record{Kind: SaveState, Data: value, Wanted: done != nil})
	return t.refused(n, t.inner.SaveState(value, t.outcome(n, done)))
}

func (t *tapped) Publish(topic string, qos uint32, payload []byte, done gateway.Done) gateway.Result {
	n := t.call(&Record{Kind: Publish, Topic: topic, QoS: qos, Data: payload, Wanted: done != nil})
	return t.refused(n, t.inner.Publish(topic, qos, payload, t.outcome(n, done)))
}

func (t *tapped) PublishWith(topic string, qos uint32, payload []byte, props *gateway.Properties,
	done gateway.Done,
) gateway.Result {
	n := t.call(&Record{Kind: Publish, Topic: topic, QoS: qos, Data: payload, Props: props, Wanted: done != nil})
	return t.refused(n, t.inner.PublishWith(topic, qos, payload, props, t.outcome(n, done)))
}

func (t *tapped) Subscribe(filter string, qos uint32, done gateway.Done) gateway.Result {
	n := t.call(&Record{Kind: Subscribe, Topic: filter, QoS: qos, Wanted: done != nil})
	return t.refused(n, t.inner.Subscribe(filter, qos, t.outcome(n, done)))
}

func (t *tapped) Unsubscribe(filter string, done gateway.Done) gateway.Result {
	n := t.call(&Record{Kind: Unsubscribe, Topic: filter, Wanted: done != nil})
	return t.refused(n, t.inner.Unsubscribe(filter, t.outcome(n, done)))
}

func (t *tapped) Pause() {
	t.call(&Record{Kind: Pause})
	t.inner.Pause()
}

func (t *tapped) Resume() gateway.Result {
	n := t.call(&Record{Kind: Resume})
	return t.refused(n, t.inner.Resume())
}

// Hold is not recorded, since it has no effect that a device or the upstream can see.
func (t *tapped) Hold(interrupt func()) (release func()) { return t.inner.Hold(interrupt) }

func (t *tapped) Post(event func() error) bool {
	return t.inner.Post(func() error { return t.event(&Record{Kind: Posted}, event) })
}
