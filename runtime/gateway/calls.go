package gateway

import (
	"sync"
	"sync/atomic"
)

// call is one upstream call under way. It counts against the connection's limits until its result is there, and holds a result back
// that came before the call returned.
type call struct {
	conn   *Conn
	name   string
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

// Publish sends a message of the device upstream; see [ConnectionAdapter].
func (c *Conn) Publish(topic string, qos uint32, payload []byte, done Done) Result {
	if r := checkPublish(topic, qos); !r.Ok() {
		return r
	}
	session, mount, k, r := c.begin("publish", c.topics.publish, topic, len(payload), true, done)
	if !r.Ok() {
		return r
	}
	session.Publish(mount+topic, byte(qos), payload, k.finish)
	k.returned()
	return OK
}

// Subscribe subscribes the device; see [ConnectionAdapter].
func (c *Conn) Subscribe(filter string, qos uint32, done Done) Result {
	if r := checkQoS(qos); !r.Ok() {
		return r
	}
	if r := checkFilter(filter); !r.Ok() {
		return r
	}
	session, mount, k, r := c.begin("subscribe", c.topics.subscribe, filter, 0, false, done)
	if !r.Ok() {
		return r
	}
	session.Subscribe(mountFilter(mount, filter), byte(qos), k.finish)
	k.returned()
	return OK
}

// Unsubscribe ends a subscription; see [ConnectionAdapter].
func (c *Conn) Unsubscribe(filter string, done Done) Result {
	if r := checkFilter(filter); !r.Ok() {
		return r
	}
	session, mount, k, r := c.begin("unsubscribe", nil, filter, 0, false, done)
	if !r.Ok() {
		return r
	}
	session.Unsubscribe(mountFilter(mount, filter), k.finish)
	k.returned()
	return OK
}

// begin admits a call with a topic that allowed lets through, and counts it.
func (c *Conn) begin(name string, allowed topicList, topic string, bytes int, window bool, done Done) (Session, string, *call, Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing.Load():
		return nil, "", nil, resultNotAlive
	case c.login.state != loginDone:
		return nil, "", nil, Refuse(CodePermissionDeny, "%s before authenticate succeeded", name)
	case c.gate.calls >= c.limits.MaxCalls:
		return nil, "", nil, Refuse(CodeLimit, "%d calls are under way", c.gate.calls)
	case allowed != nil && !c.mayUse(allowed, topic):
		r := Refuse(CodePermissionDeny, "listener %s does not let this device %s %.100q", c.metrics.name, name, topic)
		c.metrics.call(name, r)
		return nil, "", nil, r
	}
	c.gate.calls++
	if window {
		c.gate.window++
		c.gate.bytes += bytes
		if c.rates != nil {
			now := c.gw.now()
			c.gate.hold(pausePublishes, c.rates.publishes.take(1, now), now)
		}
	}
	k := callPool.Get().(*call)
	if k.finish == nil {
		k.finish = k.complete
	}
	k.conn, k.name, k.bytes, k.window, k.done = c, name, bytes, window, done
	return c.login.session, c.login.mount, k, OK
}

// mayUse reports whether allowed has the topic or filter as the upstream sees it; the caller holds mu.
func (c *Conn) mayUse(allowed topicList, topic string) bool {
	_, inner, _ := splitShare(topic)
	device := c.device(c.login.client)
	return allowed.allows(c.login.mount+inner, &device)
}

// complete takes the session's result, on any goroutine.
func (k *call) complete(r Result) {
	k.result = r
	k.settle()
	if k.state.CompareAndSwap(callEntered, callCompleted) {
		return // returned will report it
	}
	k.report()
}

// returned notes that the session's method has returned to the handler.
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

// settle takes the call off the connection's limits.
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
	k.conn, k.done, k.result = nil, nil, Result{}
	k.state.Store(callEntered)
	callPool.Put(k)
	if done != nil {
		done(r)
	}
}

// results reports, in order and on a goroutine that exists only meanwhile, the calls that were completed before they returned.
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
