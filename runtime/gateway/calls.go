package gateway

import (
	"sync"
	"sync/atomic"

	"github.com/exgate/exgate/internal/topic"
)

// call is one upstream call in flight. It counts against the connection's limits until it has a result, and holds back
// a result that came before the call returned.
type call struct {
	conn   *Conn
	name   string
	topic  string // without the mountpoint
	bytes  int
	window bool // counts against the publish window
	done   Done
	state  atomic.Uint32
	result Result
	finish Done // complete, bound once
}

// The states of a call.
const (
	callEntered uint32 = iota
	callReturned
	callCompleted // before it returned
)

var callPool = sync.Pool{New: func() any { return new(call) }}

func newCall() *call {
	k := callPool.Get().(*call)
	if k.finish == nil {
		k.finish = k.complete
	}
	return k
}

// Publish sends a message of the device upstream; see [ConnectionAdapter].
func (c *Conn) Publish(name string, qos uint32, payload []byte, done Done) Result {
	return c.publish(name, qos, payload, nil, done)
}

// PublishWith sends a message with properties upstream; see [ConnectionAdapter].
func (c *Conn) PublishWith(name string, qos uint32, payload []byte, props *Properties, done Done) Result {
	if props.Empty() {
		return c.publish(name, qos, payload, nil, done)
	}
	if r := props.check(); !r.Ok() {
		c.metrics.call("publish", r)
		return c.refused("publish", name, r)
	}
	mounted := *props
	return c.publish(name, qos, payload, &mounted, done)
}

// publish puts the mountpoint before the response topic of props.
func (c *Conn) publish(name string, qos uint32, payload []byte, props *Properties, done Done) Result {
	if r := checkPublish(name, qos); !r.Ok() {
		return c.refused("publish", name, r)
	}
	session, name, k, r := c.begin(request{
		name: "publish", allowed: c.topics.publish, topic: name, bytes: len(payload) + props.Size(), publish: true,
		props: props, done: done,
	})
	if !r.Ok() {
		return r
	}
	session.Publish(name, byte(qos), payload, props, k.finish)
	k.returned()
	return OK
}

// Subscribe subscribes the device; see [ConnectionAdapter].
func (c *Conn) Subscribe(filter string, qos uint32, done Done) Result {
	if r := checkSubscribe(filter, qos); !r.Ok() {
		return c.refused("subscribe", filter, r)
	}
	session, filter, k, r := c.begin(request{
		name: "subscribe", allowed: c.topics.subscribe, topic: filter, done: done,
	})
	if !r.Ok() {
		return r
	}
	session.Subscribe(filter, byte(qos), k.finish)
	k.returned()
	return OK
}

// Unsubscribe ends a subscription; see [ConnectionAdapter].
func (c *Conn) Unsubscribe(filter string, done Done) Result {
	if r := checkFilter(filter); !r.Ok() {
		return c.refused("unsubscribe", filter, r)
	}
	session, filter, k, r := c.begin(request{name: "unsubscribe", topic: filter, done: done})
	if !r.Ok() {
		return r
	}
	session.Unsubscribe(filter, k.finish)
	k.returned()
	return OK
}

// request is a call that has not been admitted.
type request struct {
	name    string    // of the call
	allowed topicList // what its topic is checked against
	topic   string    // name or filter
	bytes   int
	publish bool        // topic is a name; the call counts against the publish window
	props   *Properties // admit puts the mountpoint before its response topic; may be nil
	done    Done
}

// begin is like admit, and logs a refusal.
func (c *Conn) begin(q request) (Session, string, *call, Result) {
	session, mounted, k, r := c.admit(q)
	if !r.Ok() {
		c.refused(q.name, q.topic, r)
	}
	return session, mounted, k, r
}

// admit checks a call against the connection's limits and its topics against the listener's lists, and counts it. It
// returns the topic with the mountpoint.
func (c *Conn) admit(q request) (Session, string, *call, Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing.Load():
		return nil, "", nil, resultNotAlive
	case c.login.state != loginDone:
		return nil, "", nil, Refuse(CodePermissionDeny, "%s before authenticate succeeded", q.name)
	case c.gate.calls >= c.limits.MaxCalls:
		r := Refuse(CodeLimit, "%d calls are in progress (limits.max_calls)", c.gate.calls)
		c.metrics.call(q.name, r)
		return nil, "", nil, r
	}
	mounted, r := c.admitTopic(q.name, q.allowed, q.topic, q.publish)
	if r.Ok() && q.props != nil && q.props.ResponseTopic != "" {
		q.props.ResponseTopic, r = c.admitResponse(q.props.ResponseTopic)
	}
	if r.Ok() && q.publish && c.rates != nil && !c.rates.publish(&c.gate, c.gw.now()) {
		r = Refuse(CodeLimit, "more than %g publishes at once (limits.publishes_burst)", c.limits.PublishesBurst)
	}
	if !r.Ok() {
		c.metrics.call(q.name, r)
		return nil, "", nil, r
	}
	c.gate.calls++
	if q.publish {
		c.gate.window++
		c.gate.bytes += q.bytes
	}
	k := newCall()
	k.conn, k.name, k.topic, k.bytes, k.window, k.done = c, q.name, q.topic, q.bytes, q.publish, q.done
	return c.login.session, mounted, k, OK
}

// admitTopic puts the mountpoint before a topic name or filter and checks the result as the upstream will see it; the
// caller holds mu.
func (c *Conn) admitTopic(call string, allowed topicList, text string, isName bool) (string, Result) {
	mount := c.login.mount
	mounted := mount + text
	if !isName {
		mounted = topic.Mount(mount, text)
	}
	if mount != "" {
		if r := checkMounted(mounted, isName); !r.Ok() {
			return "", Refuse(r.Code, "with the mountpoint of listener %s: %s", c.metrics.name, r.Message)
		}
	}
	if allowed == nil {
		return mounted, OK
	}
	inner := mounted
	if !isName {
		inner, _ = topic.Unshare(mounted)
	}
	if device := c.device(c.login.client); !allowed.allows(inner, &device) {
		return "", Refuse(CodePermissionDeny, "listener %s does not let this device %s %.100q", c.metrics.name, call,
			text)
	}
	return mounted, OK
}

// complete takes the session's result, on any goroutine.
func (k *call) complete(r Result) {
	k.result = r
	k.settle()
	if !r.Ok() {
		k.conn.refused(k.name, k.topic, r)
	}
	if k.state.CompareAndSwap(callEntered, callCompleted) {
		return // returned will report it
	}
	k.report()
}

// returned records that the session's method has returned to the handler.
func (k *call) returned() {
	if k.state.CompareAndSwap(callEntered, callReturned) {
		return // complete will report it
	}
	if k.done == nil {
		k.report()
		return
	}
	k.conn.results.add(k)
}

// settle stops counting the call against the connection's limits.
func (k *call) settle() {
	c := k.conn
	c.metrics.call(k.name, k.result)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gate.calls--
	if k.window {
		c.gate.window--
		c.gate.bytes -= k.bytes
	}
	c.reopen()
}

func (k *call) report() {
	done, r := k.done, k.result
	k.conn, k.topic, k.bytes, k.window, k.done, k.result = nil, "", 0, false, nil, Result{}
	k.state.Store(callEntered)
	callPool.Put(k)
	if done != nil {
		done(r)
	}
}

// results reports the calls that were completed before they returned, in order, on a goroutine that exists only while
// there are any.
type results struct {
	mu      sync.Mutex
	waiting []*call
	running bool
}

func (q *results) add(k *call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, k)
	if !q.running {
		q.running = true
		go q.run()
	}
}

func (q *results) run() {
	for {
		q.mu.Lock()
		batch := q.waiting
		q.waiting = nil
		q.running = len(batch) > 0
		q.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for _, k := range batch {
			k.report()
		}
	}
}
