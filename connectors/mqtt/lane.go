package mqtt

import (
	"time"

	"github.com/exgate/exgate/runtime/gateway"
)

// lane is the order of one device's calls on a client. Guarded by client.mu.
type lane struct {
	client  *client
	wide    bool     // any number of publishes may be unacknowledged
	ended   bool     //
	blocked bool     // it is in client.blocked
	queue   calls    // in order; not sent yet
	publish *call    // of QoS 1 or 2, sent and not acknowledged. One at a time, or a resend could change the order
	backlog *backlog // what the spool has of the device; nil without a spool
	turn    bool     // the lane publishes the backlog
	orphan  bool     // it has no device, only a backlog
	left    bool     // it has left the backlog; guarded by backlog.mu
	drain   draining

	from         *gateway.Device           // whose lane it is; nil of a side lane, house and an orphan
	eject        func(gateway.CloseReason) // ends the device's session; may be nil
	proven       bool                      // the broker has acknowledged a publish of it, and ended no connection for one since
	held         bool                      // its calls go through the prober, one at a time
	heldUntil    time.Time                 // but for suspects, no longer than that
	suspects     []*call                   // go before queue; sent before
	probing      *call                     // at the prober
	topic        string                    // of a side lane, which has the calls of house with this topic
	refused      gateway.Result            // of a side lane whose topic is convicted, until refusedUntil
	refusedUntil time.Time                 //
	ends         int                       // what speaks against its QoS 0
	endedAt      time.Time                 // when that was counted last
	round        uint32                    // of client.round: it stands in client.written
}

// publishOrStore takes a publish of the device. With a spool, one of QoS 1 or 2 goes to the disk first.
func (l *lane) publishOrStore(k call) {
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
func (l *lane) mayStore(k *call) gateway.Result {
	l.client.mu.Lock()
	defer l.client.mu.Unlock()
	switch {
	case l.ended || l.client.ended:
		return gone
	case l.client.link != nil:
		if r := l.client.link.fits(k); !r.Ok() {
			return r
		}
	}
	l.backlog.use()
	return gateway.OK
}

// accept sends the call or queues it, and reports whether it is finished with that.
func (l *lane) accept(k call, told *outcomes) (r gateway.Result, finished bool) {
	c := l.client
	if l.held {
		l.relax(time.Now())
	}
	switch {
	case l.ended || c.ended:
		return gone, true
	case l.isRefused():
		return l.refused, true
	case c.link == nil && k.isQoS0() && !l.held:
		c.broker.metrics.dropped.WithLabelValues(dropDown).Inc()
		return isDown, true
	case l.queue.empty() && l.mayFollow(&k) && c.canTake(&k):
		if k.isQoS0() {
			return c.sendQoS0(&k), true
		}
		return c.send(k.keep())
	case l.queue.full(&k, l.wide):
		return isFull, true
	}
	l.queue.push(k.keep())
	if l.held {
		*told = append(*told, l.probeNext()...)
	} else {
		l.block()
	}
	return gateway.OK, false
}

func (l *lane) mayFollow(k *call) bool {
	return !l.held && (l.wide || l.publish == nil || !k.needsQuota())
}

// head is the call that is next, if one may go.
func (l *lane) head() *call {
	switch {
	case !l.queue.empty():
		if k := l.queue.first(); l.mayFollow(k) {
			return k
		}
	case l.hasBacklog() && !l.held:
		return &nextStored
	}
	return nil
}

// nextStored stands for a publish that is still in the spool.
var nextStored = call{kind: publishing, qos: 1}

// pump sends what waits, as far as it can, and returns the calls that are finished with that.
func (l *lane) pump() (told outcomes) {
	c := l.client
	if l.held {
		return l.probeNext()
	}
	for !l.queue.empty() && l.mayFollow(l.queue.first()) {
		if !c.canTake(l.queue.first()) {
			l.block()
			return told
		}
		k := l.queue.pop()
		if k.isQoS0() {
			told.add(k, c.sendQoS0(k))
		} else if r, finished := c.send(k); finished {
			told.add(k, r)
		}
	}
	return append(told, l.pumpBacklog()...)
}

// block has the lane called when the client can take more. A lane whose own publish is unacknowledged goes on with that.
func (l *lane) block() {
	if !l.blocked && l.head() != nil {
		l.blocked = true
		l.client.blocked = append(l.client.blocked, l)
	}
}

// finish ends the lane, and every call that was not sent with r. What was sent is the client's.
func (l *lane) finish(r gateway.Result) (told outcomes) {
	for _, k := range l.suspects {
		told.add(k, r)
	}
	l.suspects = nil
	for !l.queue.empty() {
		told.add(l.queue.pop(), r)
	}
	return told
}

// suspend drops the QoS 0 that had no room when the connection was lost.
func (l *lane) suspend() (told outcomes) {
	for _, k := range l.queue.takeQoS0() {
		l.client.broker.metrics.dropped.WithLabelValues(dropDown).Inc()
		told.add(k, isDown)
	}
	return told
}
