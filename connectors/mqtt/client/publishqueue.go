package client

import (
	"slices"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// PublishQueue keeps the calls of one device on a client in order. Guarded by client.mu.
type PublishQueue struct {
	client    *Client
	unordered bool     // any number of publishes may be unacknowledged at once
	ended     bool     //
	blocked   bool     // it is in client.blocked
	pending   callList // in order; not sent yet
	publish   *call    // the unacknowledged QoS 1 or 2 publish; only one, since resending several could reorder them
	backlog   *backlog // the device's spooled messages; nil without a spool
	active    bool     // the queue publishes the backlog
	leftover  bool     // the queue has no device, only a backlog
	left      bool     // the queue has left the backlog; guarded by backlog.mu
	drain     draining

	props       []byte                    // properties of each publish of the device
	from        *gateway.Device           // nil for topic queues, client.ownQueue and leftover queues
	closeDevice func(gateway.CloseReason) // ends the device's session; may be nil
	// the broker has acknowledged a publish and ended no connection for one since
	proven        bool
	diverted      bool           // calls go through the prober, one at a time
	divertedUntil time.Time      // end of the diversion, unless suspects are left
	suspects      []*call        // were sent before and go before pending
	probing       *call          // call on trial at the prober
	topic         string         // of a topic queue
	refused       gateway.Result // result for calls of a convicted topic queue, until refusedUntil
	refusedUntil  time.Time      //
	ends          int            // evidence against its QoS 0 publishes
	endedAt       time.Time      // when evidence was last counted
	round         uint32         // client.round in which it was added to client.written
}

// NewQueue returns a queue for the calls of a device. If the broker ends connections for them repeatedly, closeDevice
// is called.
func (c *Client) NewQueue(device *gateway.Device, closeDevice func(gateway.CloseReason)) *PublishQueue {
	l := &PublishQueue{
		client: c, from: device, closeDevice: closeDevice, props: c.broker.publishProperties(*device),
	}
	if c.device == nil {
		l.divert(c.broker.offenders.left(device.ClientID, time.Now()))
	}
	return l
}

// Publish publishes a message of the device. QoS 0 is refused while the connection is lost; QoS 1 and 2 wait, on disk
// if there is a spool.
func (l *PublishQueue) Publish(topic string, qos byte, payload []byte, props *gateway.Properties, done gateway.Done) {
	k := call{
		kind: publishing, topic: topic, qos: qos, payload: payload, props: l.props, done: done, queue: l,
	}
	if props != nil {
		k.retain, k.mustRetain, k.expiry = props.Retain, props.Retain, props.Expiry
		k.props = l.client.broker.messageProperties(l.props, props)
	}
	l.publishOrStore(k)
}

// Subscribe subscribes for the device.
func (l *PublishQueue) Subscribe(filter string, qos byte, done gateway.Done) {
	l.client.submit(call{kind: subscribing, topic: filter, qos: qos, done: done, queue: l})
}

// Unsubscribe unsubscribes for the device.
func (l *PublishQueue) Unsubscribe(filter string, done gateway.Done) {
	l.client.submit(call{kind: unsubscribing, topic: filter, done: done, queue: l})
}

// publishOrStore accepts a publish of the device. With a spool, QoS 1 and 2 go to disk first.
func (l *PublishQueue) publishOrStore(k call) {
	if l.backlog == nil || k.qos == 0 {
		l.client.submit(k)
		return
	}
	r := k.check()
	if r.Ok() {
		r = l.mayStore(&k)
	}
	if !r.Ok() {
		Finish(k.done, r)
		return
	}
	l.backlog.append(k)
}

// mayStore refuses a publish that the broker would refuse later, when the device can no longer be notified. If it
// returns OK, it has counted the message as a user of the backlog.
func (l *PublishQueue) mayStore(k *call) gateway.Result {
	l.client.mu.Lock()
	defer l.client.mu.Unlock()
	switch {
	case l.ended || l.client.ended:
		return ResultEnded
	case l.client.link != nil:
		if r := l.client.link.fits(k); !r.Ok() {
			return r
		}
	}
	l.backlog.use()
	return gateway.OK
}

// accept sends or queues the call. It reports finished if the call needs no answer or was refused.
func (l *PublishQueue) accept(k call, cb *Callbacks) (r gateway.Result, finished bool) {
	c := l.client
	if l.diverted {
		l.endDiversion(time.Now())
	}
	switch {
	case l.ended || c.ended:
		return ResultEnded, true
	case l.isRefused():
		return l.refused, true
	case c.link == nil && k.isQoS0() && !l.diverted:
		c.broker.metrics.dropped.WithLabelValues(dropDown).Inc()
		return resultDown, true
	case l.pending.empty() && l.mayFollow(&k) && c.canTake(&k):
		if k.isQoS0() {
			return c.sendQoS0(&k), true
		}
		return c.send(k.keep())
	case l.pending.full(&k, l.unordered):
		return resultFull, true
	}
	l.pending.push(k.keep())
	if l.diverted {
		*cb = append(*cb, l.probeNext()...)
	} else {
		l.block()
	}
	return gateway.OK, false
}

func (l *PublishQueue) mayFollow(k *call) bool {
	return !l.diverted && (l.unordered || l.publish == nil || !k.needsQuota())
}

// head returns the next call that may be sent, or nil.
func (l *PublishQueue) head() *call {
	switch {
	case !l.pending.empty():
		if k := l.pending.first(); l.mayFollow(k) {
			return k
		}
	case l.hasBacklog() && !l.diverted:
		return &nextStored
	}
	return nil
}

// nextStored represents a publish that is still in the spool.
var nextStored = call{kind: publishing, qos: 1}

// pump sends as many pending calls as it can.
func (l *PublishQueue) pump() (cb Callbacks) {
	c := l.client
	if l.diverted {
		return l.probeNext()
	}
	for !l.pending.empty() && l.mayFollow(l.pending.first()) {
		if !c.canTake(l.pending.first()) {
			l.block()
			return cb
		}
		k := l.pending.pop()
		if k.isQoS0() {
			cb.add(k, c.sendQoS0(k))
		} else if r, finished := c.send(k); finished {
			cb.add(k, r)
		}
	}
	return append(cb, l.pumpBacklog()...)
}

// block registers the queue to be resumed when the client can take more. A queue with an unacknowledged publish resumes
// when that is acknowledged.
func (l *PublishQueue) block() {
	if !l.blocked && l.head() != nil {
		l.blocked = true
		l.client.blocked = append(l.client.blocked, l)
	}
}

// finish finishes every unsent call with r. Sent calls belong to the client.
func (l *PublishQueue) finish(r gateway.Result) (cb Callbacks) {
	for _, k := range l.suspects {
		cb.add(k, r)
	}
	l.suspects = nil
	for !l.pending.empty() {
		cb.add(l.pending.pop(), r)
	}
	return cb
}

// suspend drops queued QoS 0 publishes after the connection was lost.
func (l *PublishQueue) suspend() (cb Callbacks) {
	for _, k := range l.pending.takeQoS0() {
		l.client.broker.metrics.dropped.WithLabelValues(dropDown).Inc()
		cb.add(k, resultDown)
	}
	return cb
}

// draining paces how a queue publishes from the spool. Guarded by client.mu.
type draining struct {
	left     int  // messages that waited for the connection; Config.Spool.DrainRate bounds them
	granted  bool // the next message may be sent
	waiting  bool // waiting for a timer
	retrying bool // a timer will try to read the spool again
}

// activate makes the queue publish its device's backlog.
func (l *PublishQueue) activate() {
	l.client.mu.Lock()
	var cb Callbacks
	if l.ended {
		cb.Then(func() { l.backlog.leave(l) })
	} else {
		cb = l.start()
	}
	l.client.mu.Unlock()
	cb.Run()
}

// start must be called with the client's mu held.
func (l *PublishQueue) start() Callbacks {
	l.active = true
	l.drain.restart(l)
	return l.pump()
}

// kick resumes the queue.
func (l *PublishQueue) kick() {
	l.client.mu.Lock()
	var cb Callbacks
	if !l.ended {
		cb = l.pump()
	}
	l.client.mu.Unlock()
	cb.Run()
}

// hasBacklog reports whether a stored message may be sent.
func (l *PublishQueue) hasBacklog() bool {
	return l.active && l.publish == nil && !l.drain.waiting && !l.ended && l.backlog.queue.Len() > 0
}

// pumpBacklog sends as many stored messages as it can.
func (l *PublishQueue) pumpBacklog() (cb Callbacks) {
	c := l.client
	for l.hasBacklog() {
		if !c.canTake(&nextStored) {
			l.block()
			return cb
		}
		if !l.drain.mayGo(l) {
			return cb
		}
		k, ok := l.backlog.first(l)
		if !ok { // not on disk yet, or the disk failed
			l.drain.retryLater(l)
			break
		}
		cb = append(cb, l.sendStored(k)...)
	}
	if l.leftover && l.active && !l.ended && l.publish == nil && l.backlog.queue.Len() == 0 {
		cb = append(cb, l.shut()...)
	}
	return cb
}

// sendStored sends a stored message with the highest QoS that the broker accepts. QoS 0 is done once it is written.
func (l *PublishQueue) sendStored(k *call) (cb Callbacks) {
	c := l.client
	if k.ends >= suspectAt {
		return l.tryStored(k)
	}
	k.qos = min(k.qos, c.link.maxQoS)
	if reason := c.link.unfit(k); reason != 0 {
		return l.backlog.answered(k, reason)
	}
	if k.qos > 0 {
		c.begin(k)
		return nil
	}
	if r := c.sendQoS0(k); r.Ok() {
		l.backlog.queue.Remove(k.stored)
	} else {
		l.drain.wait(l, retryDelay)
	}
	return nil
}

// tryStored puts a stored message on trial: connections ended for it while another queue sent it.
func (l *PublishQueue) tryStored(k *call) Callbacks {
	l.publish = k
	if l.client.triesItself() {
		l.client.addTrial(k)
		return l.client.try()
	}
	l.suspects = append(l.suspects, k)
	l.divert(0)
	return l.probeNext()
}

// Close ends the queue and refuses its unsent calls.
func (l *PublishQueue) Close() (cb Callbacks) {
	l.client.mu.Lock()
	defer l.client.mu.Unlock()
	return l.end()
}

// end must be called with the client's mu held.
func (l *PublishQueue) end() Callbacks {
	if l.ended {
		return nil
	}
	return append(l.finish(ResultEnded), l.shut()...)
}

// Forget ends a queue of a client that continues: its calls in flight get no other result. Ended queues are removed
// from blocked once they are the majority.
func (c *Client) Forget(l *PublishQueue) Callbacks {
	c.mu.Lock()
	defer c.mu.Unlock()
	cb := l.end()
	if l.publish != nil {
		cb.add(l.publish, ResultEnded)
	}
	if l.probing != nil {
		cb.add(l.probing, ResultEnded)
	}
	if !l.blocked {
		return cb
	}
	c.idle++
	if c.idle > len(c.blocked)/2 {
		c.idle = 0
		c.blocked = slices.DeleteFunc(c.blocked, func(l *PublishQueue) bool { return l.ended && l.pending.empty() })
	}
	return cb
}

// shut makes the queue leave its backlog: at once, or when the stored message in flight is answered or its connection
// lost. The client's mu must be held.
func (l *PublishQueue) shut() (cb Callbacks) {
	l.ended = true
	if b := l.client.broker; l.from != nil && (l.probing != nil || len(l.suspects) > 0) {
		b.offenders.suspect(l.from.ClientID, time.Now(), b.cfg.ReconnectDelay)
	}
	g, k := l.backlog, l.publish
	switch {
	case g == nil:
	case k == nil || k.stored == 0:
		cb.Then(func() { g.leave(l) })
	case l.diverted && l.probing == k: // the verdict ends it
	case l.diverted:
		l.publish = nil
		cb.Then(func() { g.leave(l) })
	case l.client.link == nil:
		return l.client.abandon(k)
	}
	return cb
}

// abandon leaves a stored message that was in flight on a lost connection to the next queue, which may be connected
// sooner. mu must be held.
func (c *Client) abandon(k *call) (cb Callbacks) {
	c.release(k)
	c.forgetTrial(k)
	c.resends = slices.DeleteFunc(c.resends, func(r *call) bool { return r == k })
	k.queue.publish = nil
	cb.Then(func() { k.queue.backlog.leave(k.queue) })
	return cb
}

// restart counts the messages that waited for the connection.
func (d *draining) restart(l *PublishQueue) {
	if l.active {
		d.left = l.backlog.queue.Len()
	}
}

// mayGo reports whether the next stored message may be sent. If not, it schedules a retry.
func (d *draining) mayGo(l *PublishQueue) bool {
	switch {
	case d.left <= 0:
		return true
	case d.granted:
		d.granted = false
	default:
		if wait := l.client.broker.drain.Reserve().Delay(); wait > 0 {
			d.wait(l, wait)
			return false
		}
	}
	d.left--
	return true
}

// retryLater schedules a retry.
func (d *draining) retryLater(l *PublishQueue) {
	if d.retrying || l.backlog.queue.Len() == 0 {
		return
	}
	d.retrying = true
	time.AfterFunc(retryDelay, func() {
		l.client.mu.Lock()
		d.retrying = false
		l.client.mu.Unlock()
		l.kick()
	})
}

// wait pauses the backlog.
func (d *draining) wait(l *PublishQueue, pause time.Duration) {
	d.waiting = true
	time.AfterFunc(pause, func() {
		l.client.mu.Lock()
		d.waiting, d.granted = false, true
		l.client.mu.Unlock()
		l.kick()
	})
}
