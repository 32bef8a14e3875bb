package comparison

import (
	"sync"

	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/tap"
	"github.com/exgate/exgate/runtime/tap/internal/calldiff"
)

// adapter is the second handler's adapter. It compares each call with those of the first handler, and answers it as the
// corresponding one was answered.
type adapter struct {
	id string

	called  func(*tap.Record) // gets each call
	patient bool              // calls that the first handler has not made yet wait for it

	mu      sync.Mutex // guards the fields below; an engine closes connections from its own goroutines
	diff    *calldiff.Diff
	answers answers
	ended   bool           // the handler has closed the connection, or failed
	silent  bool           // calls are ignored
	dues    []func()       // results to deliver
	posts   []func() error // events that the handler has posted
	state   []byte         // that came with the login whose result is being delivered
}

var _ gateway.ConnectionAdapter = (*adapter)(nil)

// first adds a call of the first handler.
func (a *adapter) first(r *tap.Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.diff.First(r)
}

func (a *adapter) plan(r *tap.Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers.plan(r)
}

// second adds a call of the second handler. The caller holds mu.
func (a *adapter) second(r *tap.Record) {
	if !a.silent {
		a.diff.Other(r)
		a.called(r)
	}
}

// fail ends the connection for an error of its handler.
func (a *adapter) fail(r *tap.Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.second(r)
	a.ended = true
}

// end refuses further calls. With silent, it ignores them too.
func (a *adapter) end(silent bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended, a.silent = true, a.silent || silent
}

func (a *adapter) closed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ended
}

// answered marks the point at which a call of the first handler got its result.
func (a *adapter) answered(r *tap.Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if one := a.answers.call[r.Call]; one != nil {
		delete(a.answers.call, r.Call)
		one.arrived = true
		a.queue(one)
	}
}

// queue schedules a result for when no event is in progress. The caller holds mu.
func (a *adapter) queue(one *answer) {
	due, state := one.due(), one.state
	if due == nil {
		return
	}
	a.dues = append(a.dues, func() {
		a.setState(state)
		due()
		a.setState(nil)
	})
}

func (a *adapter) setState(state []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state = state
}

// State returns the state that came with the login of the first handler.
func (a *adapter) State() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

// due returns the next result to deliver, or nil.
func (a *adapter) due() func() {
	a.mu.Lock()
	defer a.mu.Unlock()
	return pop(&a.dues)
}

// posted returns the next event that the handler has posted, or nil.
func (a *adapter) posted() func() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return pop(&a.posts)
}

func pop[F any](queue *[]F) (first F) {
	if len(*queue) > 0 {
		first = (*queue)[0]
		*queue = (*queue)[1:]
	}
	return first
}

// call compares a call and answers it.
func (a *adapter) call(r *tap.Record, done gateway.Done) gateway.Result {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.second(r)
	one, known := a.answers.next(r.Kind)
	if !known && !a.patient {
		one.result, one.arrived = new(gateway.OK), true
	}
	switch {
	case a.ended:
		return gateway.Refuse(gateway.CodeConnProcessNotAlive, "connection closed")
	case !one.refused.Ok():
		return one.refused
	}
	one.done = done
	a.queue(one)
	a.ended = r.Kind == tap.Close
	return gateway.OK
}

func (a *adapter) ID() string { return a.id }

func (a *adapter) Send(b []byte) gateway.Result {
	return a.call(&tap.Record{Kind: tap.Send, Data: b}, nil)
}

func (a *adapter) Close(reason gateway.CloseReason) gateway.Result {
	return a.call(&tap.Record{Kind: tap.Close, Reason: reason}, nil)
}

func (a *adapter) StartTimer(t gateway.TimerType, seconds uint32) gateway.Result {
	return a.call(&tap.Record{Kind: tap.StartTimer, Timer: t, Seconds: seconds}, nil)
}

func (a *adapter) SetTimer(id uint32, ms int32) gateway.Result {
	return a.call(&tap.Record{Kind: tap.SetTimer, Alarm: id, Millis: ms}, nil)
}

func (a *adapter) Authenticate(client gateway.ClientInfo, password string, done gateway.Done) gateway.Result {
	return a.call(&tap.Record{Kind: tap.Authenticate, Client: client, Password: password}, done)
}

func (a *adapter) SaveState(value []byte, done gateway.Done) gateway.Result {
	return a.call(&tap.Record{Kind: tap.SaveState, Data: value}, done)
}

func (a *adapter) Publish(topic string, qos uint32, payload []byte, done gateway.Done) gateway.Result {
	return a.PublishWith(topic, qos, payload, nil, done)
}

func (a *adapter) PublishWith(topic string, qos uint32, payload []byte, props *gateway.Properties,
	done gateway.Done,
) gateway.Result {
	return a.call(&tap.Record{Kind: tap.Publish, Topic: topic, QoS: qos, Data: payload, Props: props}, done)
}

func (a *adapter) Subscribe(filter string, qos uint32, done gateway.Done) gateway.Result {
	return a.call(&tap.Record{Kind: tap.Subscribe, Topic: filter, QoS: qos}, done)
}

func (a *adapter) Unsubscribe(filter string, done gateway.Done) gateway.Result {
	return a.call(&tap.Record{Kind: tap.Unsubscribe, Topic: filter}, done)
}

func (a *adapter) Pause() { a.call(&tap.Record{Kind: tap.Pause}, nil) }

func (a *adapter) Resume() gateway.Result { return a.call(&tap.Record{Kind: tap.Resume}, nil) }

// Hold returns nil: the recorded connection does not wait, so an event must not either.
func (*adapter) Hold(func()) (release func()) { return nil }

func (a *adapter) Post(event func() error) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.ended {
		a.posts = append(a.posts, event)
	}
	return !a.ended
}
