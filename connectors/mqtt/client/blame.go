package client

import (
	"cmp"
	"errors"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/exgate/exgate/connectors/mqtt/wire"
	"github.com/exgate/exgate/runtime/gateway"
)

// A broker may end a connection because of a packet, and would do so again for the same packet. So the end of a
// connection is evidence against every unacknowledged call: certain if the broker's DISCONNECT is about a packet,
// possible otherwise.
const (
	possible = 1
	certain  = 2

	suspectAt = 2 // the call becomes a suspect: it is tried alone before it is sent with others again (trial.go)
	convictAt = 4 // the call is refused if it was alone when the connection ended; a certain end convicts at once
	sentAgain = 6 // the call is refused even if others were in flight: it passed trials and connections still ended

	forgetEnds = time.Minute // after this long, evidence against a device's QoS 0 is dropped
)

// aboutPackets are the DISCONNECT reasons that blame a packet of the client, MQTT 5, section 3.14.2.1. Brokers also use
// the first ones when nothing else fits.
var aboutPackets = []byte{
	0x80, 0x81, 0x82, 0x83, 0x87, 0x8F, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9E, 0xA1, 0xA2,
}

// aboutAmount are reasons that a SUBSCRIBE with fewer filters may avoid.
var aboutAmount = []byte{0x93, 0x95, 0x96, 0x97}

// ending describes how a connection ended.
type ending struct {
	reason   byte // of the broker's DISCONNECT; 0: no DISCONNECT
	cause    error
	cutByUs  bool
	replaced bool // another client of this gateway connected with the same client id
}

// isExplained reports whether the end has a known cause other than the packets sent.
func (e ending) isExplained() bool {
	switch e.reason {
	case 0:
		return e.cutByUs || e.replaced || e.isLocal() || errors.Is(e.cause, wire.ErrTooLarge)
	case packets.DisconnectSessionTakenOver:
		return e.replaced
	}
	return false
}

// isLocal reports whether the socket was closed on this side.
func (e ending) isLocal() bool { return errors.Is(e.cause, net.ErrClosed) }

// against returns the weight of the end as evidence against a call that was in flight with others. A takeover by
// another gateway can only make the call a suspect; convicting it takes the same end while it is tried alone.
func (e ending) against(k *call, now time.Time) int {
	switch {
	case errors.Is(e.cause, errNoAck) && !now.Before(k.deadline):
		return possible
	case e.reason == packets.DisconnectSessionTakenOver && k.ends >= suspectAt:
		return 0
	}
	return e.weight()
}

func (e ending) weight() int {
	switch {
	case e.isExplained():
		return 0
	case slices.Contains(aboutPackets, e.reason):
		return certain
	}
	return possible
}

func (e ending) String() string {
	if e.reason != 0 {
		return wire.ReasonName(e.reason)
	}
	return "no reason given"
}

// judge counts the end of a connection against the unacknowledged calls and sets suspects apart. mu must be held.
func (c *Client) judge(e ending) (cb Callbacks) {
	now := time.Now()
	cb = c.judgeTrials(e)
	likelier := c.hasUnproven(e, now)
	var arrested []*PublishQueue
	bySeq := func(a, b *call) int { return cmp.Compare(a.seq, b.seq) }
	for _, k := range slices.SortedFunc(maps.Values(c.inflight), bySeq) {
		w := e.against(k, now)
		if k.onTrial || k.released || w == 0 || likelier && k.isSpared() {
			continue
		}
		k.addEvidence(w)
		if k.stored > 0 && k.queue.ended {
			continue
		}
		if k.ends >= suspectAt || c.isSuspicious(k) {
			cb = append(cb, c.arrest(k, e)...)
			arrested = append(arrested, k.queue)
		}
	}
	sent := slices.SortedFunc(maps.Values(c.waiting), func(a, b *call) int { return a.deadline.Compare(b.deadline) })
	c.waiting = nil
	for _, k := range slices.Backward(sent) {
		switch w := e.against(k, now); {
		case k.onTrial:
		case c.prober != nil: // from leaveTrial; the subscription ends with the prober's session
		case k.kind == resubscribing:
			cb = append(cb, c.judgeFilters(k, e)...)
		case k.queue.ended:
		case w > 0 && (k.ends+w >= suspectAt || c.isSuspicious(k)):
			k.ends += w
			cb = append(cb, c.arrest(k, e)...)
			arrested = append(arrested, k.queue)
		default:
			k.ends += w
			k.queue.pending.putBack([]*call{k})
			k.queue.block()
		}
	}
	cb = append(cb, c.judgeQoS0(e, now)...)
	for _, l := range arrested {
		cb = append(cb, l.pump()...)
	}
	return cb
}

// addEvidence counts the end of a connection against the call. The evidence against a spooled publish outlives its
// queue.
func (k *call) addEvidence(weight int) {
	k.ends += weight
	if k.stored > 0 {
		k.queue.backlog.remember(k)
	}
}

// mostSpared is how many ends are not counted against a call of a proven queue.
const mostSpared = 2

// isSpared reports whether the end is not counted against the call because an unproven queue is more likely to blame.
// Otherwise suspects of a few new devices would send everybody's calls to the prober.
func (k *call) isSpared() bool {
	if !k.queue.proven || k.spared >= mostSpared {
		return false
	}
	k.spared++
	return true
}

// hasUnproven reports whether the end is evidence against a call of an unproven queue. mu must be held.
func (c *Client) hasUnproven(e ending, now time.Time) bool {
	for _, k := range c.inflight {
		if !k.queue.proven && !k.onTrial && !k.released && e.against(k, now) > 0 {
			return true
		}
	}
	for _, k := range c.waiting {
		if !k.queue.proven && !k.onTrial && !k.queue.ended && e.against(k, now) > 0 {
			return true
		}
	}
	return false
}

// isSuspicious reports whether a call of ownQueue has the topic of a suspect, and so must stay behind it. mu must be
// held.
func (c *Client) isSuspicious(k *call) bool {
	l := c.topicQueues[k.topic]
	return k.queue.unordered && l != nil && (l.diverted || c.isOnTrial(l))
}

func (c *Client) isOnTrial(l *PublishQueue) bool {
	return slices.ContainsFunc(c.trials, func(k *call) bool { return k.queue == l })
}

// arrest makes a call a suspect, which is no longer sent with others. A device's client tries its suspects itself; the
// suspects of the gateway's clients are tried by the prober, and the device's other calls wait. mu must be held.
func (c *Client) arrest(k *call, e ending) (cb Callbacks) {
	if k.ends >= sentAgain {
		return c.drop(k, e)
	}
	if k.queue.unordered {
		k.queue = c.topicQueue(k.topic)
	}
	l := k.queue
	if c.triesItself() {
		if k.kind == publishing {
			c.resends = slices.DeleteFunc(c.resends, func(r *call) bool { return r == k })
		}
		c.addTrial(k)
		return nil
	}
	if k.kind == publishing {
		c.release(k)
		if l.publish == nil {
			l.publish = k
		}
	}
	l.suspects = slices.Insert(l.suspects, 0, k)
	l.divert(0)
	slices.SortStableFunc(l.suspects, func(a, b *call) int { return cmp.Compare(b.kind.rank(), a.kind.rank()) })
	return nil
}

// rank sorts publishes before other calls: they are resent first after a loss.
func (k callKind) rank() int {
	if k == publishing {
		return 1
	}
	return 0
}

// release frees the packet id of a publish that will be sent another way. mu must be held.
func (c *Client) release(k *call) {
	delete(c.inflight, k.id)
	if k.qos == 2 && k.id != 0 {
		c.freed = append(c.freed, k.id)
	}
	k.id = 0
}

// releaseFreed makes the broker forget the ids of QoS 2 publishes that were sent another way: it would take the next
// message with the id for a duplicate. mu must be held and the link be up.
func (c *Client) releaseFreed() {
	if c.link.present {
		for _, id := range c.freed {
			if c.inflight[id] == nil {
				c.link.release(id)
			}
		}
	}
	c.freed = nil
}

// drop ends a convicted call and resumes its queue. mu must be held.
func (c *Client) drop(k *call, e ending) (cb Callbacks) {
	c.forgetSent(k)
	l := k.queue
	if k.kind == resubscribing {
		cb = c.convictFilter(k, e)
	} else {
		cb = c.convict(k, e)
	}
	if l.publish == k {
		l.publish = nil
	}
	if l.isRefused() {
		for _, other := range l.suspects {
			if other.kind == resubscribing {
				delete(c.filters, other.topic)
				c.acquitFilter(other.topic)
			}
		}
		for _, other := range slices.Clone(c.trials) {
			if other.queue == l && other.kind != resubscribing {
				c.forgetTrial(other)
				c.forgetSent(other)
				cb.add(other, l.refused)
			}
		}
		cb = append(cb, l.finish(l.refused)...)
	}
	return cb
}

// forgetSent removes a call from those waiting for an acknowledgement. mu must be held.
func (c *Client) forgetSent(k *call) {
	if c.inflight[k.id] == k {
		delete(c.inflight, k.id)
	}
	if c.waiting[k.id] == k {
		delete(c.waiting, k.id)
	}
}

// convict refuses a call for which the broker ends connections. mu must be held.
func (c *Client) convict(k *call, e ending) (cb Callbacks) {
	b := c.broker
	what := k.kind.String()
	b.metrics.convicted.WithLabelValues(what).Inc()
	code := gateway.CodeUnsupported
	if known := wire.CodeOf(e.reason); e.reason != 0 && known != gateway.CodeUnknown {
		code = known
	}
	r := gateway.Refuse(code, "the broker ends the connection for this %s (%.200q): %v; it is not sent again", what,
		k.topic, e)
	aside := false
	if k.stored > 0 {
		aside = b.cfg.Spool.Folder != ""
		cb = append(cb, k.queue.backlog.setAside(k, r.Message)...)
	} else {
		cb.add(k, r)
	}
	from := k.sender()
	b.logConviction(k, from, e, aside)
	k.queue.refuse(r, b.offenders.add(from.ClientID, time.Now(), b.cfg.ReconnectDelay))
	if from.Listener != "" && k.queue.closeDevice != nil && b.offenders.isBanned(from.ClientID, time.Now()) {
		closeDevice := k.queue.closeDevice
		cb.Then(func() {
			go closeDevice(gateway.ReasonUpstreamRefused.With(
				"the broker ended %d connections because of what the device sent", offencesUntilBan))
		})
	}
	return cb
}

// sender returns the device that made the call, as far as known.
func (k *call) sender() gateway.Device {
	switch {
	case k.from != nil:
		return *k.from
	case k.queue.from != nil:
		return *k.queue.from
	case k.queue.client.device != nil:
		return *k.queue.client.device
	case k.queue.backlog != nil:
		return gateway.Device{ClientInfo: gateway.ClientInfo{ClientID: k.queue.backlog.id}}
	}
	return gateway.Device{}
}

func (b *Broker) logConviction(k *call, from gateway.Device, e ending, aside bool) {
	more, ok := b.convictions.Allow(time.Now())
	if !ok {
		return
	}
	args := []any{
		"call", k.kind.String(), "topic", k.topic, "qos", k.qos, "bytes", len(k.payload), "client_id", from.ClientID,
		"listener", from.Listener,
		"reason", e.String(), "suppressed", more,
	}
	if aside {
		args = append(args, "set_aside", "exgate spool list")
	}
	b.log.Warn("the broker ends the connection because of a device's call; refusing the call", args...)
}

// judgeFilters counts the end of a connection against the filters of a resubscription. If their number may be the
// cause, the next packets have fewer. mu must be held.
func (c *Client) judgeFilters(k *call, e ending) (cb Callbacks) {
	w := e.weight()
	if w == 0 {
		return nil
	}
	if len(k.filters) > 1 && slices.Contains(aboutAmount, e.reason) {
		next := 1
		if len(k.filters) > fewFilters {
			next = fewFilters
		}
		c.perPacket = min(c.filtersPerPacket(), next)
		return nil
	}
	c.perPacket = 1
	if c.filterEnds == nil {
		c.filterEnds = map[string]int{}
	}
	for _, f := range k.filters {
		if _, known := c.filters[f.name]; !known {
			continue
		}
		c.filterEnds[f.name] += w
		if c.filterEnds[f.name] < suspectAt || c.suspectFilters[f.name] {
			continue
		}
		if c.suspectFilters == nil {
			c.suspectFilters = map[string]bool{}
		}
		c.suspectFilters[f.name] = true
		again := &call{
			kind: resubscribing, topic: f.name, qos: f.qos, subID: f.id, filters: []filter{f}, queue: &c.ownQueue,
			ends: c.filterEnds[f.name],
		}
		cb = append(cb, c.arrest(again, e)...)
		if !again.onTrial {
			cb = append(cb, again.queue.pump()...)
		}
	}
	return cb
}

// convictFilter gives up a subscription that the broker had acknowledged. A device with its own session is closed,
// since it cannot be notified otherwise.
func (c *Client) convictFilter(k *call, e ending) (cb Callbacks) {
	delete(c.filters, k.topic)
	delete(c.suspectFilters, k.topic)
	delete(c.filterEnds, k.topic)
	c.broker.metrics.resubscribesRefused.Inc()
	cb = c.convict(k, e)
	if c.device != nil {
		cb.Then(func() {
			go c.owner.Lost(gateway.ReasonUpstreamRefused.With(
				"the broker ends the connection for the subscription to %.200q", k.topic))
		})
	}
	return cb
}

// acquitFilter clears a filter: the broker has acknowledged it again. mu must be held.
func (c *Client) acquitFilter(name string) {
	delete(c.suspectFilters, name)
	delete(c.filterEnds, name)
}

// fewFilters is the limit of AWS IoT Core for one SUBSCRIBE.
const fewFilters = 8

func (c *Client) filtersPerPacket() int {
	if c.perPacket == 0 {
		return filtersPerPacket
	}
	return c.perPacket
}

func (k callKind) String() string {
	switch k {
	case publishing:
		return "publish"
	case unsubscribing:
		return "unsubscribe"
	}
	return "subscribe"
}

// achieved marks the connection as useful, which resets the reconnect delay.
func (c *Client) achieved() { c.attempt = 0 }

const (
	livedLong     = 30 // times Config.ReconnectDelay: a connection that lasted this long was useful
	mostConnects  = 5  // within connectWindow
	connectWindow = 30 // times Config.ReconnectDelay
)

// spread returns a delay that limits a client to mostConnects connections within connectWindow. mu must be held.
func (c *Client) spread(d time.Duration, now time.Time) time.Duration {
	window := connectWindow * c.broker.cfg.ReconnectDelay
	c.connects = slices.DeleteFunc(c.connects, func(at time.Time) bool { return now.Sub(at) >= window })
	if n := len(c.connects); n >= mostConnects {
		d = max(d, c.connects[n-mostConnects].Add(window).Sub(now))
	}
	c.connects = append(c.connects, now.Add(d))
	return d
}
