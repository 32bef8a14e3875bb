package client

import (
	"slices"
	"time"

	"github.com/exgate/exgate/connectors/mqtt/wire"
	"github.com/exgate/exgate/runtime/gateway"
)

// mostTried bounds how many suspects are tried at once. The number grows from one and is reset when a connection ends.
const mostTried = 64

// verdict is the outcome of a trial.
type verdict struct {
	reason      byte    // of the broker's acknowledgement
	convicted   *ending // set if the connection ended for the call
	unavailable bool    // the call could not be tried
}

// triesItself reports whether the client tries its own suspects: a device's client does, because the broker may apply
// rules for its client id, and so do the gateway's clients while the prober cannot connect. mu must be held.
func (c *Client) triesItself() bool {
	return c.device != nil || c.prober != nil || c.broker.proberRefused.Load()
}

// addTrial must be called with mu held.
func (c *Client) addTrial(k *call) {
	k.onTrial = true
	c.trials = append(c.trials, k)
}

// isTrying reports whether suspects must be tried before anything else is sent. mu must be held.
func (c *Client) isTrying() bool { return len(c.trials)+len(c.trying) > 0 }

// settles returns how long to wait before trying suspects on a new connection, so that a broker that ends every
// connection convicts nothing.
func (c *Client) settles(now time.Time) time.Duration {
	return c.link.began.Add(c.broker.cfg.ReconnectDelay).Sub(now)
}

// try sends as many suspects as may be in flight. mu must be held.
func (c *Client) try() (cb Callbacks) {
	if len(c.trials) == 0 || c.link == nil || c.othersUnderWay() || c.isTryingAlone() {
		return nil
	}
	if wait := c.settles(time.Now()); wait > 0 {
		if !c.tryLater {
			c.tryLater = true
			time.AfterFunc(wait, c.tryAgain)
		}
		return nil
	}
	c.window = max(c.window, 1)
	for len(c.trials) > 0 && len(c.trying) < c.window && c.link != nil && c.link.wire.HasRoom() {
		k := c.trials[0]
		if (k.alone && len(c.trying) > 0) || (k.needsQuota() && c.quota <= 0) {
			break
		}
		c.trials = c.trials[1:]
		cb = append(cb, c.tryCall(k)...)
		if k.alone {
			break
		}
	}
	if len(c.trials) == 0 {
		c.trials = nil
	}
	return cb
}

// isTryingAlone reports whether a suspect is in flight that no other may join: an end of the connection would not tell
// which of them caused it.
func (c *Client) isTryingAlone() bool { return len(c.trying) > 0 && c.trying[0].alone }

func (c *Client) tryAgain() {
	c.mu.Lock()
	c.tryLater = false
	cb := c.unblock()
	c.mu.Unlock()
	cb.Run()
}

// othersUnderWay reports whether calls that are not on trial are unacknowledged.
func (c *Client) othersUnderWay() bool {
	for _, k := range c.inflight {
		if !k.onTrial {
			return true
		}
	}
	for _, k := range c.waiting {
		if !k.onTrial {
			return true
		}
	}
	return len(c.resends) > 0
}

// tryCall sends a suspect. A QoS 0 publish is acknowledged by the answer to a PINGREQ sent after it.
func (c *Client) tryCall(k *call) (cb Callbacks) {
	if k.kind == publishing && k.spooled {
		k.qos = min(k.qos, c.link.maxQoS)
	}
	if reason := c.link.unfit(k); reason != 0 {
		return c.unfitTrial(k, reason)
	}
	c.trying = append(c.trying, k)
	switch {
	case k.isQoS0():
		c.sendQoS0(k)
		k.ping = c.link.heartbeat.Ask()
	case k.kind == publishing:
		if k.id == 0 || c.inflight[k.id] != k {
			c.begin(k)
		} else {
			c.sendPublish(k, c.link.present)
		}
	default:
		k.id = 0
		c.sendRequest(k)
	}
	return cb
}

// unfitTrial ends the trial of a call that exceeds the broker's limits.
func (c *Client) unfitTrial(k *call, reason byte) (cb Callbacks) {
	l := k.queue
	if k.verdict == nil {
		if k.stored > 0 {
			cb = l.backlog.answered(k, reason)
		} else {
			cb.add(k, c.link.fits(k))
		}
		delete(c.inflight, k.id)
		if l.publish == k {
			l.publish = nil
			l.block()
		}
	}
	return append(cb, c.tried(k, verdict{reason: reason})...)
}

// tried ends the trial of a call that the connection survived. mu must be held.
func (c *Client) tried(k *call, v verdict) (cb Callbacks) {
	k.onTrial, k.alone = false, false
	c.trying = slices.DeleteFunc(c.trying, func(other *call) bool { return other == k })
	c.window = min(2*max(c.window, 1), mostTried)
	if k.verdict != nil {
		f := k.verdict
		k.verdict = nil
		c.achieved()
		cb.Then(func() { f(v) })
	}
	return cb
}

// ponged ends the trials of QoS 0 publishes that the broker has read, and clears those it has read before. mu must be
// held.
func (c *Client) ponged(n uint32) (cb Callbacks) {
	for _, k := range slices.Clone(c.trying) {
		if k.isQoS0() && k.ping != 0 && int32(n-k.ping) >= 0 {
			cb = append(cb, c.tried(k, verdict{})...)
			cb.add(k, wire.ResultOf("publish to", k.topic, 0))
		}
	}
	if c.barrier != 0 && int32(n-c.barrier) >= 0 {
		c.barrier, c.asked = 0, nil
	}
	return append(cb, c.unblock()...)
}

// judgeTrials convicts a call that was alone when the connection ended. mu must be held.
func (c *Client) judgeTrials(e ending) (cb Callbacks) {
	trying := c.trying
	c.trying, c.window = nil, 1
	w := e.weight()
	if w == 0 && e.cause == errNoAck {
		w = possible
	}
	if len(trying) == 1 && w > 0 {
		k := trying[0]
		if c.prober != nil {
			c.achieved() // the next connection is for another call
		}
		if k.ends += w; w == certain || k.ends >= convictAt {
			k.onTrial = false
			c.achieved() // it will not end the next connection
			if k.verdict != nil {
				f := k.verdict
				cb.Then(func() { f(verdict{convicted: &e}) })
				c.forgetSent(k)
				return cb
			}
			return append(c.drop(k, e), k.queue.pump()...)
		}
	}
	for _, k := range trying {
		if k.stored > 0 {
			k.queue.backlog.remember(k)
		}
		k.alone = true
		k.deadline = time.Time{}
		if c.prober != nil {
			delete(c.inflight, k.id)
			k.id = 0
			c.prober.insert(k)
		}
	}
	if c.prober == nil {
		c.trials = append(trying, c.trials...)
	}
	return cb
}

// forgetTrial removes a call from the trials. mu must be held.
func (c *Client) forgetTrial(k *call) {
	same := func(other *call) bool { return other == k }
	c.trials, c.trying = slices.DeleteFunc(c.trials, same), slices.DeleteFunc(c.trying, same)
}

// leaveTrial ends the subscription made by a trial. mu must be held and the link be up.
func (c *Client) leaveTrial(k *call) {
	u := &call{kind: unsubscribing, topic: k.topic, queue: &c.ownQueue}
	c.sendRequest(u)
}

// divert sends the queue's calls through the prober, one at a time: its suspects, and for d all others. mu must be
// held.
func (l *PublishQueue) divert(d time.Duration) {
	if d <= 0 && len(l.suspects) == 0 {
		return
	}
	l.diverted = true
	if until := time.Now().Add(d); d > 0 && until.After(l.divertedUntil) {
		l.divertedUntil = until
	}
}

// endDiversion ends the diversion if no evidence is left.
func (l *PublishQueue) endDiversion(now time.Time) {
	if l.probing == nil && len(l.suspects) == 0 && !now.Before(l.divertedUntil) {
		l.diverted = false
	}
}

// isRefused reports whether the topic of a topic queue is convicted.
func (l *PublishQueue) isRefused() bool {
	return !l.refusedUntil.IsZero() && time.Now().Before(l.refusedUntil)
}

// probeNext has the prober try the next call of a diverted queue.
func (l *PublishQueue) probeNext() (cb Callbacks) {
	if l.ended || l.probing != nil {
		return nil
	}
	l.endDiversion(time.Now())
	if !l.diverted {
		return l.pump()
	}
	k := l.nextDiverted()
	if k == nil {
		if l.leftover && l.active && l.publish == nil && l.backlog.queue.Len() == 0 {
			return l.shut()
		}
		return nil
	}
	c := l.client
	if c.triesItself() {
		if k.needsQuota() {
			l.publish = k
		}
		c.addTrial(k)
		l.diverted = len(l.suspects) > 0
		return append(c.try(), l.pump()...)
	}
	l.probing = k
	if k.needsQuota() {
		l.publish = k
	}
	if c.probing == nil {
		c.probing = map[*call]bool{}
	}
	c.probing[k] = true
	try := *k
	try.spooled, try.proven, try.offences = k.stored > 0, l.proven, c.broker.offenders.count(k.sender().ClientID)
	cb.Then(func() {
		c.broker.tryElsewhere(try, func(v verdict) { c.judged(k, v) })
	})
	return cb
}

// nextDiverted removes and returns the next call of a diverted queue, or nil.
func (l *PublishQueue) nextDiverted() *call {
	switch {
	case len(l.suspects) > 0:
		k := l.suspects[0]
		l.suspects = l.suspects[1:]
		return k
	case !l.pending.empty():
		return l.pending.pop()
	case l.hasBacklog():
		if k, ok := l.backlog.first(l); ok {
			return k
		}
		l.drain.retryLater(l)
	}
	return nil
}

// judged handles the prober's verdict on a call.
func (c *Client) judged(k *call, v verdict) {
	c.mu.Lock()
	if !c.probing[k] { // the client has ended
		c.mu.Unlock()
		return
	}
	delete(c.probing, k)
	l := k.queue
	l.probing = nil
	var cb Callbacks
	switch {
	case v.unavailable:
		cb = c.tryHere(l, k)
	case v.convicted != nil:
		cb = c.drop(k, *v.convicted)
	case k.kind == publishing && k.stored > 0:
		l.proven = l.proven || v.reason < 0x80
		cb = k.queue.backlog.answered(k, v.reason)
	case k.kind == publishing:
		l.proven = l.proven || v.reason < 0x80
		cb.add(k, wire.ResultOf("publish to", k.topic, v.reason))
	case k.kind == resubscribing && v.reason >= 0x80:
		c.resubscribed(k, []byte{v.reason})
	case v.reason >= 0x80:
		cb.add(k, wire.ResultOf(k.kind.String()+" to", k.topic, v.reason))
	default:
		c.acquitted = append(c.acquitted, k)
	}
	if !v.unavailable && l.publish == k {
		l.publish = nil
	}
	if !l.ended {
		cb = append(cb, l.pump()...)
	}
	cb = append(cb, c.unblock()...)
	c.mu.Unlock()
	cb.Run()
}

// tryHere tries a call on this client, since the prober cannot. mu must be held.
func (c *Client) tryHere(l *PublishQueue, k *call) (cb Callbacks) {
	if l.ended {
		if k.stored > 0 {
			cb.Then(func() { l.backlog.leave(l) })
		}
		return cb
	}
	c.addTrial(k)
	for _, other := range l.suspects {
		c.addTrial(other)
	}
	l.diverted, l.suspects = false, nil
	return cb
}

// sendAcquitted sends SUBSCRIBEs and UNSUBSCRIBEs that passed their trial. mu must be held.
func (c *Client) sendAcquitted() {
	for c.link != nil && len(c.acquitted) > 0 && c.link.wire.HasRoom() {
		k := c.acquitted[0]
		c.acquitted = c.acquitted[1:]
		if k.kind == resubscribing {
			delete(c.suspectFilters, k.topic)
			if _, known := c.filters[k.topic]; !known { // unsubscribed meanwhile
				continue
			}
		}
		c.sendRequest(k)
		if k.kind == resubscribing {
			k.deadline = time.Now().Add(resubscribeTimeout)
		}
	}
}

// endTrials finishes the suspects when the client ends. mu must be held.
func (c *Client) endTrials() (cb Callbacks) {
	for k := range c.probing {
		cb.add(k, ResultEnded)
		cb = append(cb, k.queue.finish(ResultEnded)...)
		if l := k.queue; k.stored > 0 {
			cb.Then(func() { l.backlog.leave(l) })
		}
	}
	if c.prober != nil {
		cb = append(cb, c.prober.handBack()...)
	}
	for _, k := range append(c.trying, c.trials...) {
		cb.add(k, ResultEnded)
		if l := k.queue; k.stored > 0 && c.inflight[k.id] != k {
			cb.Then(func() { l.backlog.leave(l) })
		}
	}
	for _, k := range c.acquitted {
		cb.add(k, ResultEnded)
	}
	c.probing, c.trying, c.trials, c.acquitted, c.topicQueues = nil, nil, nil, nil, nil
	return cb
}

// queueOf returns the queue of a call: a call of ownQueue with a suspicious topic has a topic queue. mu must be held.
func (c *Client) queueOf(k *call) *PublishQueue {
	if l := c.topicQueues[k.topic]; l != nil && k.queue == &c.ownQueue {
		return l
	}
	return k.queue
}

func (c *Client) topicQueue(name string) *PublishQueue {
	l := c.topicQueues[name]
	if l == nil {
		l = &PublishQueue{client: c, topic: name}
		if c.topicQueues == nil {
			c.topicQueues = map[string]*PublishQueue{}
		}
		c.topicQueues[name] = l
	}
	return l
}

// pruneTopicQueues removes topic queues without calls and evidence. mu must be held.
func (c *Client) pruneTopicQueues(now time.Time) {
	for name, l := range c.topicQueues {
		l.endDiversion(now)
		if !l.diverted && !l.blocked && l.publish == nil && l.pending.empty() && now.After(l.refusedUntil) &&
			now.Sub(l.endedAt) > forgetEnds && !c.has(l) {
			delete(c.topicQueues, name)
		}
	}
}

// has reports whether a call of the queue is in flight.
func (c *Client) has(l *PublishQueue) bool {
	for _, k := range c.waiting {
		if k.queue == l {
			return true
		}
	}
	for _, k := range c.acquitted {
		if k.queue == l {
			return true
		}
	}
	for _, k := range c.trials {
		if k.queue == l {
			return true
		}
	}
	return false
}

// refuse handles the conviction of a call: a topic queue refuses its topic for d, a device's queue is diverted for d.
func (l *PublishQueue) refuse(r gateway.Result, d time.Duration) {
	l.proven = false
	if l.topic != "" {
		l.refused, l.refusedUntil = r, time.Now().Add(d)
		return
	}
	if !l.unordered && !l.client.triesItself() {
		l.divert(d)
	}
}
