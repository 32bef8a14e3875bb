package mqtt

import (
	"slices"
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// lane is the order of one device's calls on a client. Guarded by client.mu.
type publishQueue struct {
	client    *client
	unordered bool     // any number of publishes may be unacknowledged
	ended     bool     //
	blocked   bool     // it is in client.blocked
	pending   callList // in order; not sent yet
	publish   *call    // of QoS 1 or 2, sent and not acknowledged. One at a time, or a resend could change the order
	backlog   *backlog // what the spool has of the device; nil without a spool
	active    bool     // the lane publishes the backlog
	leftover  bool     // it has no device, only a backlog
	left      bool     // it has left the backlog; guarded by backlog.mu
	drain     draining

	from          *gateway.Device           // whose lane it is; nil of a side lane, house and an orphan
	closeDevice   func(gateway.CloseReason) // ends the device's session; may be nil
	proven        bool                      // the broker has acknowledged a publish of it, and ended no connection for one since
	diverted      bool                      // its calls go through the prober, one at a time
	divertedUntil time.Time                 // but for suspects, no longer than that
	suspects      []*call                   // go before queue; sent before
	probing       *call                     // at the prober
	topic         string                    // of a side lane, which has the calls of house with this topic
	refused       gateway.Result            // of a side lane whose topic is convicted, until refusedUntil
	refusedUntil  time.Time                 //
	ends          int                       // what speaks against its QoS 0
	endedAt       time.Time                 // when that was counted last
	round         uint32                    // of client.round: it stands in client.written
}

// publishOrStore takes a publish of the device. With a spool, one of QoS 1 or 2 goes to the disk first.
func (l *publishQueue) publishOrStore(k call) {
	if l.backlog == nil || k.qos == 0 {
		l.client.submit(k)
		return
	}
	r := k.check()
	if r.Ok() {
		r = l.mayStore(&k)
	}
	if !r.Ok() {
		finish(k.done, r)
		return
	}
	l.backlog.append(k)
}

// mayStore refuses what is known to be refused later, when the device can be told no more. Where it does not, it has made the message a user of the
// backlog.
func (l *publishQueue) mayStore(k *call) gateway.Result {
	l.client.mu.Lock()
	defer l.client.mu.Unlock()
	switch {
	case l.ended || l.client.ended:
		return resultEnded
	case l.client.link != nil:
		if r := l.client.link.fits(k); !r.Ok() {
			return r
		}
	}
	l.backlog.use()
	return gateway.OK
}

// accept sends the call or queues it, and reports whether it is finished with that.
func (l *publishQueue) accept(k call, cb *callbacks) (r gateway.Result, finished bool) {
	c := l.client
	if l.diverted {
		l.endDiversion(time.Now())
	}
	switch {
	case l.ended || c.ended:
		return resultEnded, true
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

func (l *publishQueue) mayFollow(k *call) bool {
	return !l.diverted && (l.unordered || l.publish == nil || !k.needsQuota())
}

// head is the call that is next, if one may go.
func (l *publishQueue) head() *call {
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

// nextStored stands for a publish that is still in the spool.
var nextStored = call{kind: publishing, qos: 1}

// pump sends what waits, as far as it can, and returns the calls that are finished with that.
func (l *publishQueue) pump() (cb callbacks) {
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

// block has the lane called when the client can take more. A lane whose own publish is unacknowledged goes on with that.
func (l *publishQueue) block() {
	if !l.blocked && l.head() != nil {
		l.blocked = true
		l.client.blocked = append(l.client.blocked, l)
	}
}

// finish ends the lane, and every call that was not sent with r. What was sent is the client's.
func (l *publishQueue) finish(r gateway.Result) (cb callbacks) {
	for _, k := range l.suspects {
		cb.add(k, r)
	}
	l.suspects = nil
	for !l.pending.empty() {
		cb.add(l.pending.pop(), r)
	}
	return cb
}

// suspend drops the QoS 0 that had no room when the connection was lost.
func (l *publishQueue) suspend() (cb callbacks) {
	for _, k := range l.pending.takeQoS0() {
		l.client.broker.metrics.dropped.WithLabelValues(dropDown).Inc()
		cb.add(k, resultDown)
	}
	return cb
}

// draining is the pace at which a lane publishes what waited in the spool. Guarded by client.mu.
type draining struct {
	left     int  // messages that waited for the connection, not for the disk: Config.Spool.DrainRate bounds them
	granted  bool // the next may go
	waiting  bool // for a timer
	retrying bool // a timer looks whether what is stored can be read again
}

// takeTurn lets the lane publish its device's backlog.
func (l *publishQueue) activate() {
	l.client.mu.Lock()
	var cb callbacks
	if l.ended { // meanwhile
		cb.then(func() { l.backlog.leave(l) })
	} else {
		cb = l.start()
	}
	l.client.mu.Unlock()
	cb.run()
}

// beginTurn must be called with the client's mu held.
func (l *publishQueue) start() callbacks {
	l.active = true
	l.drain.restart(l)
	return l.pump()
}

// kick has the lane send what it can.
func (l *publishQueue) kick() {
	l.client.mu.Lock()
	var cb callbacks
	if !l.ended {
		cb = l.pump()
	}
	l.client.mu.Unlock()
	cb.run()
}

// hasBacklog reports whether a stored message may be sent.
func (l *publishQueue) hasBacklog() bool {
	return l.active && l.publish == nil && !l.drain.waiting && !l.ended && l.backlog.queue.Len() > 0
}

// pumpBacklog sends what is stored, as far as it can.
func (l *publishQueue) pumpBacklog() (cb callbacks) {
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
		if !ok { // it is not on disk yet, and then the lane is called, or the disk does not give it
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

// sendStored sends with the highest QoS that the broker takes: with QoS 0 there is no more to wait for.
func (l *publishQueue) sendStored(k *call) (cb callbacks) {
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

// tryStored has a stored message tried for which connections ended while another lane had it.
func (l *publishQueue) tryStored(k *call) callbacks {
	l.publish = k
	if l.client.triesItself() {
		l.client.addTrial(k)
		return l.client.try()
	}
	l.suspects = append(l.suspects, k)
	l.divert(0)
	return l.probeNext()
}

// close ends the lane: what it has not sent is refused.
func (l *publishQueue) close() (cb callbacks) {
	l.client.mu.Lock()
	defer l.client.mu.Unlock()
	if l.ended {
		return nil
	}
	return append(l.finish(resultEnded), l.shut()...)
}

// shut ends the lane's turn: at once, or when the stored message that is under way is answered or its connection lost. The client's mu must be held.
func (l *publishQueue) shut() (cb callbacks) {
	l.ended = true
	if b := l.client.broker; l.from != nil && (l.probing != nil || len(l.suspects) > 0) {
		b.offenders.suspect(l.from.ClientID, time.Now(), b.cfg.ReconnectDelay)
	}
	g, k := l.backlog, l.publish
	switch {
	case g == nil:
	case k == nil || k.stored == 0:
		cb.then(func() { g.leave(l) })
	case l.diverted && l.probing == k: // the verdict ends it
	case l.diverted:
		l.publish = nil
		cb.then(func() { g.leave(l) })
	case l.client.link == nil:
		return l.client.abandon(k)
	}
	return cb
}

// abandon leaves a stored message that was under way on a lost connection to the lane that comes next: it is sent again in any case, and that lane
// may be connected first. mu must be held.
func (c *client) abandon(k *call) (cb callbacks) {
	c.release(k)
	c.forgetTrial(k)
	c.resends = slices.DeleteFunc(c.resends, func(r *call) bool { return r == k })
	k.queue.publish = nil
	cb.then(func() { k.queue.backlog.leave(k.queue) })
	return cb
}

// restart counts what waited for the connection.
func (d *draining) restart(l *publishQueue) {
	if l.active {
		d.left = l.backlog.queue.Len()
	}
}

// mayGo reports whether the next stored message may be sent. If not, the lane is called when it may.
func (d *draining) mayGo(l *publishQueue) bool {
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

// look has the lane try again after a while, if nothing else does.
func (d *draining) retryLater(l *publishQueue) {
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

// wait stops the lane's backlog for a while.
func (d *draining) wait(l *publishQueue, pause time.Duration) {
	d.waiting = true
	time.AfterFunc(pause, func() {
		l.client.mu.Lock()
		d.waiting, d.granted = false, true
		l.client.mu.Unlock()
		l.kick()
	})
}
