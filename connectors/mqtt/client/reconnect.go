package client

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/mqtt/wire"
	"github.com/exgate/exgate/internal/backoff"
	"github.com/exgate/exgate/runtime/gateway"
)

const (
	lossWindow         = 10 * time.Second // lossLimit losses within it mean that another client has the client id
	lossLimit          = 3
	longestDelay       = 30 * time.Second
	longestAttempt     = 5 // attempt with the longest delay, if Config.ReconnectDelay has its default
	unsureAttempt      = 2 // first attempt if another gateway may have the same client ids: at least 4 s
	tooLargeAttempt    = 3 // first attempt after a packet that is too large: at least 8 s
	filtersPerPacket   = 100
	resubscribeTimeout = time.Minute
)

var errNoAck = errors.New("the broker did not acknowledge a publish")

// linkLost is called when a link ends, possibly more than once. It ignores links that are not attached.
func (c *Client) linkLost(l *link, reason byte, cause error) {
	c.mu.Lock()
	l.dead = true
	if c.link != l {
		c.mu.Unlock()
		return
	}
	c.link = nil
	e := ending{reason: reason, cause: cause, cutByUs: l.wire.CutByUs(), replaced: c.broker.logins.replaced(c, l.began)}
	if time.Since(l.began) >= livedLong*c.broker.cfg.ReconnectDelay {
		c.achieved()
	}
	rival := c.lostTo(e)
	if rival && c.onTakeover == endOnTakeover {
		cb := c.end()
		c.mu.Unlock()
		cb.Run()
		c.owner.Lost(gateway.ReasonDiscarded.With("%v", cause))
		return
	}
	if rival {
		c.backOffAfterTakeover(reason)
	}
	cb := c.suspend(e)
	c.reconnect()
	c.mu.Unlock()
	c.broker.warnDown(cause)
	cb.Run()
}

// lostTo counts the loss and reports whether another client took over the client id. A failed trial is not a sign of
// that. mu must be held.
func (c *Client) lostTo(e ending) bool {
	if len(c.trying) == 0 || (c.onTakeover == endOnTakeover && e.reason == packets.DisconnectSessionTakenOver) {
		if c.onTakeover == endOnTakeover && e.reason == 0 && !e.cutByUs {
			c.attempt = 0 // so that lossLimit losses can happen within lossWindow
		}
		return c.hasRival(e)
	}
	c.broker.metrics.losses.WithLabelValues(lossTrial).Inc()
	return false
}

// backOffAfterTakeover delays the reconnect of the gateway's own client. Without a DISCONNECT, a takeover is only one
// of the possible causes. mu must be held.
func (c *Client) backOffAfterTakeover(reason byte) {
	c.losses = nil
	if reason == packets.DisconnectSessionTakenOver {
		c.attempt = longestAttempt
		c.broker.log.Error("another client uses the client id of this gateway: give each gateway its own node name",
			"client_id", c.id)
		return
	}
	c.attempt = unsureAttempt
	c.broker.log.Warn("the broker keeps closing this connection without giving a reason: a device may have sent "+
		"something that it rejects, it may restart, or another gateway may have the same node name", "client_id", c.id)
}

// hasRival counts the loss and reports whether another client has the client id: the broker says so, or repeatedly
// closes the connection without DISCONNECT, as mosquitto 2.0.11 does. mu must be held.
func (c *Client) hasRival(e ending) bool {
	label, rival := lossNetwork, false
	var broken *wire.Violation
	switch {
	case errors.As(e.cause, &broken):
		label = lossProtocol
	case e.reason == packets.DisconnectSessionTakenOver:
		label, rival = lossTakenOver, true
	case e.reason != 0:
		label = lossBroker
	case errors.Is(e.cause, wire.ErrTooLarge):
		label = lossTooLarge
		c.attempt = tooLargeAttempt // the broker will send the packet again
	case e.cutByUs: // no answer, or a wrong one
		label = lossUnanswered
	case e.replaced:
		label = lossTakenOver
	case e.isLocal():
	case c.lostTooOften(time.Now()):
		label, rival = lossRepeated, true
	}
	c.broker.metrics.losses.WithLabelValues(label).Inc()
	return rival
}

func (c *Client) lostTooOften(now time.Time) bool {
	c.losses = slices.DeleteFunc(c.losses, func(o *outage) bool { return now.Sub(o.at) > lossWindow })
	var last *outage
	if n := len(c.losses); n > 0 {
		last = c.losses[n-1]
	}
	c.losses = append(c.losses, c.broker.outageAt(now, last))
	return len(c.losses) >= lossLimit && c.broker.loneLosses(c.losses) >= lossLimit
}

// suspend prepares unacknowledged calls, except suspects, to be sent again, and drops queued QoS 0 publishes. mu must
// be held.
func (c *Client) suspend(e ending) (cb Callbacks) {
	for _, l := range c.busy() {
		cb = append(cb, l.suspend()...)
	}
	var ended []*call // the spooled publishes of queues that have ended
	for _, k := range c.inflight {
		switch {
		case k.stored == 0 || !k.queue.ended:
		case k.onTrial:
			k.addEvidence(e.weight())
			cb = append(cb, c.abandon(k)...)
		default:
			ended = append(ended, k)
		}
	}
	cb = append(cb, c.judge(e)...)
	for _, k := range ended {
		cb = append(cb, c.abandon(k)...)
	}
	c.resends = slices.SortedFunc(maps.Values(c.inflight), func(a, b *call) int { return cmp.Compare(a.seq, b.seq) })
	c.resends = slices.DeleteFunc(c.resends, func(k *call) bool { return k.onTrial })
	for _, k := range c.resends {
		k.deadline = time.Time{}
	}
	return cb
}

// reconnect must be called with mu held.
func (c *Client) reconnect() {
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.broker.workers.Go(func() {
		defer stop()
		c.connectAgain(ctx)
	})
}

func (c *Client) connectAgain(ctx context.Context) {
	for backoff.Sleep(ctx, c.nextDelay()) {
		anew := c.isAnew()
		if c.broker.logins.underWay(c) { // the login ends this client, or fails
			continue
		}
		l, err := c.broker.open(ctx, c, anew)
		if err == nil {
			c.resume(l)
			return
		}
		var refused *gateway.ResultError
		if c.prober != nil && errors.As(err, &refused) && !wire.IsElsewhere(err) {
			c.prober.refused(err)
			return
		}
		if c.onTakeover == endOnTakeover && errors.As(err, &refused) &&
			refused.Result.Code == gateway.CodePermissionDeny {
			c.owner.Lost(gateway.ReasonUpstreamLost.With("%v", err))
			return
		}
		c.failed(err)
		c.broker.warnDown(err)
	}
}

// failed stores why the client is not connected. If dialing failed, the broker was down, and earlier losses do not
// count as takeovers.
func (c *Client) failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure = err
	var away *wire.DialError
	if errors.As(err, &away) {
		c.losses = nil
	}
}

// isAnew reports whether the client must begin a new session, because the broker's session for its client id is not its
// own: it belongs to an earlier process, or to another client of this gateway.
func (c *Client) isAnew() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.wasConnected || c.isReplaced()
}

func (c *Client) everConnected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wasConnected
}

// isReplaced must be called with mu held.
func (c *Client) isReplaced() bool {
	c.replaced = c.replaced || c.broker.logins.replaced(c, c.linked)
	return c.replaced
}

// nextDelay returns the delay before the next attempt, 0 for the first attempt of the gateway's own clients.
func (c *Client) nextDelay() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	attempt := c.attempt
	c.attempt++
	if !c.wasConnected && attempt == 0 {
		return 0
	}
	return c.spread(c.broker.delay(attempt), time.Now())
}

func (b *Broker) delay(attempt int) time.Duration {
	d := b.cfg.ReconnectDelay
	for range attempt {
		d = min(2*d, max(b.longestDelay, b.cfg.ReconnectDelay))
	}
	return d + rand.N(d) //nolint:gosec // a pause is no secret
}

// resume continues over a new link: first it resubscribes, then it resends unacknowledged publishes, then it sends what
// is queued.
func (c *Client) resume(l *link) {
	c.owner.Resuming(l.present)
	c.mu.Lock()
	switch {
	case c.ended:
		c.mu.Unlock()
		l.disconnect(c.keepsSession(), c.status.isSet())
		return
	case l.dead:
		c.reconnect()
		c.mu.Unlock()
		return
	case l.present && c.isReplaced():
		c.reconnect()
		c.mu.Unlock()
		l.disconnect(c.keepsSession(), c.status.isSet())
		return
	}
	if c.wasConnected {
		c.broker.metrics.reconnects.Inc()
	}
	c.attach(l)
	if !l.present || c.device != nil {
		c.resubscribe()
	}
	c.renumber()
	c.releaseFreed()
	for _, queue := range c.busy() {
		queue.drain.restart(queue)
	}
	cb := c.unblock()
	c.mu.Unlock()
	cb.Run()
	c.Announce()
	c.owner.Connected(l.present)
}

// resubscribe must be called with mu held. A packet has at most one Subscription Identifier.
func (c *Client) resubscribe() {
	filters := maps.Clone(c.filters)
	maps.DeleteFunc(filters, func(name string, _ filter) bool { return c.suspectFilters[name] })
	known := slices.SortedFunc(maps.Values(filters), func(a, b filter) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.name, b.name))
	})
	for len(known) > 0 {
		n := 1
		for n < min(len(known), c.filtersPerPacket()) && (known[n].id == known[0].id || c.link.noSubIDs) {
			n++
		}
		k := &call{kind: resubscribing, filters: known[:n:n], subID: known[0].id, queue: &c.ownQueue}
		c.sendRequest(k)
		k.deadline = time.Now().Add(resubscribeTimeout)
		known = known[n:]
	}
}

// renumber gives unacknowledged publishes new packet ids if the broker has lost the session. mu must be held.
func (c *Client) renumber() {
	if c.link.present || len(c.resends) == 0 {
		return
	}
	clear(c.inflight)
	for _, k := range c.trials {
		k.id = 0
	}
	for _, k := range c.resends {
		k.released, k.id = false, c.nextID()
		c.inflight[k.id] = k
	}
}

// resend resends unacknowledged publishes within the broker's Receive Maximum: as duplicates if the broker kept the
// session, else as new messages. mu must be held.
func (c *Client) resend() (cb Callbacks) {
	for c.link != nil && len(c.resends) > 0 && c.quota > 0 && c.link.wire.HasRoom() {
		k := c.resends[0]
		c.resends[0] = nil
		c.resends = c.resends[1:]
		c.broker.metrics.resent.Inc()
		switch reason := c.link.unfit(k); {
		case k.released:
			c.quota--
			k.deadline = time.Now().Add(c.broker.cfg.AckTimeout)
			c.link.release(k.id)
		case reason != 0: // the broker, or its next server, accepts less than before
			c.quota-- // published gives it back
			cb = append(cb, c.published(k, reason)...)
		default:
			c.sendPublish(k, c.link.present)
		}
	}
	if len(c.resends) == 0 {
		c.resends = nil
	}
	return cb
}

const (
	outageWindow = 250 * time.Millisecond // losses within it belong to one outage
	outageLosses = 8                      // fewer are not an outage: two gateways may have the same few devices
)

// outage is a group of simultaneous losses without DISCONNECT. If it hits most of many connections, the broker or the
// network is the cause: takeovers hit one connection at a time.
type outage struct {
	at        time.Time // of the first loss
	connected int       // connections at that time; guarded by broker.mu, like lost
	lost      int       // clients that lost their connection
}

// outageAt counts a client's loss and returns its outage; last is the outage of the client's previous loss.
func (b *Broker) outageAt(now time.Time, last *outage) *outage {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.outage == nil || now.Sub(b.outage.at) > outageWindow {
		b.outage = &outage{at: now, connected: len(b.links)}
	}
	if b.outage != last {
		b.outage.lost++
	}
	return b.outage
}

// loneLosses returns how many of the outages hit fewer than outageLosses clients, or at most half of all.
func (b *Broker) loneLosses(outages []*outage) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range outages {
		if o.lost < outageLosses || 2*o.lost <= o.connected {
			n++
		}
	}
	return n
}
