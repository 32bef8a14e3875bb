package client

import (
	"bytes"
	"strings"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho/session"

	"github.com/exgate/exgate/connectors/mqtt/wire"
	"github.com/exgate/exgate/internal/topic"
	"github.com/exgate/exgate/runtime/gateway"
)

// The functions down to nextID must be called with mu held and the link up.

// sendQoS0 succeeds once the publish is in the write buffer.
func (c *Client) sendQoS0(k *call) gateway.Result {
	if r := c.link.fits(k); !r.Ok() {
		return r
	}
	k.retain = k.retain && !c.link.noRetain
	if !c.link.wire.Publish(k.publication()) {
		c.broker.metrics.dropped.WithLabelValues(dropDown).Inc()
		return resultDown
	}
	c.broker.metrics.publishedQoS[0].Inc()
	c.noteQoS0(k)
	return gateway.OK
}

// send sends a call that will be acknowledged. It reports finished if the call cannot be sent at all.
func (c *Client) send(k *call) (r gateway.Result, finished bool) {
	if k.kind == publishing {
		if r := c.link.fits(k); !r.Ok() {
			return r, true
		}
		c.begin(k)
		return gateway.OK, false
	}
	if r := c.link.fits(k); !r.Ok() {
		return r, true
	}
	c.sendRequest(k)
	return gateway.OK, false
}

// sendRequest sends a SUBSCRIBE or UNSUBSCRIBE.
func (c *Client) sendRequest(k *call) {
	k.id = c.nextID()
	k.deadline = time.Now().Add(c.broker.cfg.PacketTimeout)
	if c.waiting == nil {
		c.waiting = map[uint16]*call{}
	}
	c.waiting[k.id] = k
	if c.link.noSubIDs { // the previous server may have supported them
		k.subID = 0
	}
	c.link.send(k.packet())
}

// begin sends a publish of QoS 1 or 2 for the first time.
func (c *Client) begin(k *call) {
	c.lastSeq++
	k.id, k.seq = c.idFor(k), c.lastSeq
	if c.inflight == nil {
		c.inflight = map[uint16]*call{}
	}
	c.inflight[k.id] = k
	if !k.queue.unordered {
		k.queue.publish = k
	}
	c.sendPublish(k, false)
}

func (c *Client) sendPublish(k *call, again bool) {
	c.quota--
	k.deadline = time.Now().Add(c.broker.cfg.AckTimeout)
	k.retain = k.retain && !c.link.noRetain
	p := k.publication()
	p.Dup = again
	c.link.wire.Publish(p)
	c.broker.metrics.publishedQoS[k.qos].Inc()
}

// packet returns the SUBSCRIBE or UNSUBSCRIBE packet of a call.
func (k *call) packet() session.Packet {
	switch k.kind {
	case subscribing:
		return subscribe(k.id, k.subID, []packets.SubOptions{{Topic: k.topic, QoS: k.qos}})
	case unsubscribing:
		return &packets.Unsubscribe{Properties: &packets.Properties{}, PacketID: k.id, Topics: []string{k.topic}}
	}
	var again []packets.SubOptions
	for _, f := range k.filters {
		again = append(again, packets.SubOptions{
			Topic: f.name, QoS: f.qos,
			RetainHandling: packets.RetainSendOnSubscribeIfNew,
		})
	}
	return subscribe(k.id, k.subID, again)
}

func subscribe(packetID uint16, subID uint32, options []packets.SubOptions) *packets.Subscribe {
	p := &packets.Subscribe{Properties: &packets.Properties{}, PacketID: packetID, Subscriptions: options}
	if subID > 0 {
		id := int(subID)
		p.Properties.SubscriptionIdentifier = &id
	}
	return p
}

// unfit returns the reason code with which the broker would disconnect for k, or 0.
func (l *link) unfit(k *call) (reason byte) {
	if k.kind != publishing {
		return l.unfitFilter(k)
	}
	switch {
	case int64(k.publication().Size()) > l.maxSize:
		return packets.DisconnectPacketTooLarge
	case k.qos > l.maxQoS:
		return packets.DisconnectQoSNotSupported
	case k.mustRetain && l.noRetain:
		return packets.DisconnectRetainNotSupported
	}
	return 0
}

// unfitFilter is unfit for SUBSCRIBE and UNSUBSCRIBE, which have a topic, a packet id and at most one property in
// addition to their fixed header.
func (l *link) unfitFilter(k *call) (reason byte) {
	_, shared := topic.Unshare(k.topic)
	switch {
	case int64(len(k.topic))+subscribeOverhead > l.maxSize:
		return packets.DisconnectPacketTooLarge
	case k.kind == unsubscribing:
		return 0
	case shared && l.noShare:
		return packets.DisconnectSharedSubscriptionNotSupported
	case l.noWild && strings.ContainsAny(k.topic, "+#"):
		return packets.DisconnectWildcardSubscriptionsNotSupported
	}
	return 0
}

const subscribeOverhead = 20 // bytes

// fits refuses a call for which the broker would disconnect.
func (l *link) fits(k *call) gateway.Result {
	what := k.kind.String()
	switch l.unfit(k) {
	case packets.DisconnectPacketTooLarge:
		return gateway.Refuse(gateway.CodeLimit, "%s %.200q: the broker accepts packets of at most %d bytes", what,
			k.topic, l.maxSize)
	case packets.DisconnectQoSNotSupported:
		return gateway.Refuse(gateway.CodeUnsupported, "%s %.200q: the broker accepts at most QoS %d", what, k.topic,
			l.maxQoS)
	case packets.DisconnectRetainNotSupported:
		return gateway.Refuse(gateway.CodeUnsupported, "%s %.200q: the broker does not support retained messages",
			what, k.topic)
	case packets.DisconnectSharedSubscriptionNotSupported:
		return gateway.Refuse(gateway.CodeUnsupported, "%s %.200q: the broker does not support shared subscriptions",
			what, k.topic)
	case packets.DisconnectWildcardSubscriptionsNotSupported:
		return gateway.Refuse(gateway.CodeUnsupported, "%s %.200q: the broker does not support wildcard subscriptions",
			what, k.topic)
	}
	return gateway.OK
}

// nextID returns an unused packet id. There always is one: Receive Maximum is below the number of ids.
func (c *Client) nextID() uint16 {
	for {
		c.lastID++
		if c.lastID == 0 {
			continue
		}
		if !c.isUsed(c.lastID) {
			return c.lastID
		}
	}
}

func (c *Client) isUsed(id uint16) bool {
	_, published := c.inflight[id]
	_, asked := c.waiting[id]
	return published || asked
}

// fewIDs is how many packet ids a client uses for QoS 2 in an inherited session, if not more are in flight.
const fewIDs = 8

// idFor returns the packet id for a new publish. In an inherited session, the broker may hold QoS 2 ids that were never
// released, and would take a new message with such an id for a duplicate. So each id is released before its first use
// on a connection. Only a few are used, so few need that, and the next process finds those that this one leaves.
func (c *Client) idFor(k *call) uint16 {
	l := c.link
	if k.qos < 2 || !c.inherited {
		return c.nextID()
	}
	for {
		l.lastID = l.lastID%(fewIDs+2*(len(c.inflight)+len(c.waiting))) + 1
		id := uint16(l.lastID)
		if id == 0 || c.isUsed(id) {
			continue
		}
		if _, released := l.releasedIDs[id]; !released {
			if l.releasedIDs == nil {
				l.releasedIDs = map[uint16]struct{}{}
			}
			l.releasedIDs[id] = struct{}{}
			l.release(id)
		}
		return id
	}
}

// acknowledged handles PUBACK (QoS 1) and PUBCOMP (QoS 2).
func (c *Client) acknowledged(l *link, id uint16, qos, reason byte) {
	c.mu.Lock()
	var cb Callbacks
	if k := c.inflight[id]; c.link == l && k != nil && k.qos == qos && k.released == (qos == 2) {
		cb = c.published(k, reason)
	} else {
		cb = l.answeredLate(id, qos, reason)
	}
	c.mu.Unlock()
	cb.Run()
}

// published must be called with mu held.
func (c *Client) published(k *call, reason byte) (cb Callbacks) {
	delete(c.inflight, k.id)
	if len(c.inflight) == 0 {
		c.inflight = nil // an emptied map keeps its memory
	}
	c.quota++
	if k.onTrial {
		cb = append(cb, c.tried(k, verdict{reason: reason})...)
	}
	if !k.queue.unordered {
		c.achieved()
		k.queue.proven = k.queue.proven || reason < 0x80
	}
	if k.stored > 0 {
		cb = append(cb, k.queue.backlog.answered(k, reason)...)
	} else {
		cb.add(k, wire.ResultOf("publish to", k.topic, reason))
	}
	if l := k.queue; l.publish == k {
		l.publish = nil
		if !l.ended {
			cb = append(cb, l.pump()...)
		}
	}
	return append(cb, c.unblock()...)
}

// publishReceived handles PUBREC: it releases the QoS 2 publish, or finishes it if it was refused.
func (c *Client) publishReceived(l *link, id uint16, reason byte) {
	c.mu.Lock()
	k := c.inflight[id]
	if c.link != l || k == nil || k.qos != 2 {
		c.mu.Unlock()
		if reason < 0x80 {
			l.send(&packets.Pubrel{
				Properties: &packets.Properties{}, PacketID: id,
				ReasonCode: packets.PubcompPacketIdentifierNotFound,
			})
		}
		return
	}
	var cb Callbacks
	if reason >= 0x80 {
		cb = c.published(k, reason)
	} else {
		k.released = true
		l.release(id)
	}
	c.mu.Unlock()
	cb.Run()
}

func (l *link) release(id uint16) {
	l.send(&packets.Pubrel{Properties: &packets.Properties{}, PacketID: id})
}

func (c *Client) subscribed(l *link, id uint16, reasons []byte) {
	c.mu.Lock()
	k := c.takeWaiting(l, id, unsubscribing)
	var cb Callbacks
	switch {
	case k == nil:
	case k.verdict != nil:
		cb = c.tried(k, verdict{reason: firstReason(reasons)})
		if firstReason(reasons) < 0x80 {
			c.leaveTrial(k)
		}
	case k.kind == resubscribing:
		if k.onTrial {
			cb = c.tried(k, verdict{})
		}
		c.resubscribed(k, reasons)
	default:
		if k.onTrial {
			cb = c.tried(k, verdict{})
		}
		if k.from != nil || !k.queue.unordered {
			c.achieved()
		}
		r := wire.ResultOf("subscribe to", k.topic, firstReason(reasons))
		if r.Ok() {
			c.remember(filter{k.topic, k.qos, k.subID})
		}
		cb.add(k, r)
	}
	cb = append(cb, c.unblock()...)
	c.mu.Unlock()
	cb.Run()
}

func (c *Client) unsubscribed(l *link, id uint16, reasons []byte) {
	c.mu.Lock()
	var cb Callbacks
	if k := c.takeWaiting(l, id, subscribing); k != nil {
		if k.onTrial {
			cb = c.tried(k, verdict{reason: firstReason(reasons)})
		}
		r := wire.ResultOf("unsubscribe from", k.topic, firstReason(reasons))
		if r.Ok() {
			delete(c.filters, k.topic)
		}
		cb.add(k, r)
		cb = append(cb, c.unblock()...)
	}
	c.mu.Unlock()
	cb.Run()
}

// takeWaiting removes and returns the call with a packet id. Replies of the wrong type are ignored. mu must be held.
func (c *Client) takeWaiting(l *link, id uint16, other callKind) *call {
	k := c.waiting[id]
	if c.link != l || k == nil || k.kind == other {
		return nil
	}
	delete(c.waiting, id)
	if len(c.waiting) == 0 {
		c.waiting = nil
	}
	return k
}

func firstReason(reasons []byte) byte {
	if len(reasons) != 1 { // the packet had one filter
		return packets.SubackUnspecifiederror
	}
	return reasons[0]
}

// remember must be called with mu held.
func (c *Client) remember(f filter) {
	if c.filters == nil {
		c.filters = map[string]filter{}
	}
	c.filters[f.name] = f
}

// resubscribed must be called with mu held.
func (c *Client) resubscribed(k *call, reasons []byte) {
	for i, f := range k.filters {
		c.acquitFilter(f.name)
		if i < len(reasons) && reasons[i] < 0x80 {
			continue
		}
		reason := byte(packets.SubackUnspecifiederror)
		if i < len(reasons) {
			reason = reasons[i]
		}
		delete(c.filters, f.name)
		c.broker.metrics.resubscribesRefused.Inc()
		c.broker.log.Warn("the broker refused a subscription after a reconnect",
			"client_id", c.id, "filter", f.name, "reason", wire.ReasonName(reason))
	}
}

// expire fails calls the broker did not answer in time. If one is a publish, it drops the link. mu must be held.
func (c *Client) expire(now time.Time) (cb Callbacks) {
	for id, k := range c.waiting {
		if !now.Before(k.deadline) {
			delete(c.waiting, id)
			if k.onTrial {
				cb = append(cb, c.tried(k, verdict{reason: packets.SubackUnspecifiederror})...)
			}
			if k.kind == resubscribing {
				c.acquitFilter(k.topic)
			}
			cb.add(k, gateway.Refuse(gateway.CodeUnknown, "%q: the broker did not answer in time", k.topic))
		}
	}
	if c.link == nil {
		return cb
	}
	for _, k := range c.inflight {
		if !k.deadline.IsZero() && !now.Before(k.deadline) {
			c.link.wire.Fail(errNoAck)
			break
		}
	}
	return cb
}

const (
	maxQueuedCalls = 1024
	maxOwnCalls    = 64 << 10 // of ownQueue, which may have one for each of many devices
	maxQueuedBytes = 8 << 20
)

type callKind uint8

const (
	publishing callKind = iota
	subscribing
	unsubscribing
	resubscribing
)

// call is a Publish, Subscribe or Unsubscribe that has not been answered.
type call struct {
	kind   callKind
	qos    byte
	retain bool
	// without retained messages at the broker, the call is refused instead of published without retain
	mustRetain bool
	released   bool // QoS 2: the broker has the message and PUBREL was sent
	id         uint16
	subID      uint32 // Subscription Identifier of SUBSCRIBE; 0: none
	seq        uint64 // order of first transmission, of publishes with a packet id
	stored     uint64 // sequence number in the spool; 0: not from the spool
	queue      *PublishQueue
	from       *gateway.Device // the device, if the queue belongs to several; may be nil
	topic      string
	payload    []byte
	props      []byte   // encoded properties of a publish
	expiry     uint32   // the message's own, in seconds, which props has too; 0: none
	filters    []filter // filters of a resubscription
	done       gateway.Done
	deadline   time.Time // deadline of the broker's answer

	ends     int           // evidence from connections that ended with it; see possible and certain
	spared   int           // ends that were not counted against it
	proven   bool          // at the prober: publishQueue.proven of its queue
	onTrial  bool          // it is in client.trials or client.trying
	alone    bool          // to be tried with nothing else in flight
	spooled  bool          // at the prober: the call is from the spool
	offences int           // at the prober: convictions of its device
	inserted time.Time     // at the prober: when it was inserted
	ping     uint32        // QoS 0 on trial: number of the PINGREQ sent behind it
	verdict  func(verdict) // at the prober: receives the outcome; called once, without locks
}

func (k *call) isQoS0() bool { return k.kind == publishing && k.qos == 0 }

// needsQuota reports whether the call counts against the broker's Receive Maximum.
func (k *call) needsQuota() bool { return k.kind == publishing && k.qos > 0 }

func (k *call) publication() wire.Publication {
	return wire.Publication{Topic: k.topic, Payload: k.payload, Props: k.props, ID: k.id, QoS: k.qos, Retain: k.retain}
}

// bytes is what the call counts against maxQueuedBytes.
func (k *call) bytes() int { return len(k.payload) + len(k.props) }

// keep returns a copy that does not share the caller's payload.
func (k call) keep() *call {
	k.payload = bytes.Clone(k.payload)
	return &k
}

// callList is a bounded FIFO. When empty, it holds no memory.
type callList struct {
	list  []*call
	bytes int
}

func (q *callList) empty() bool  { return len(q.list) == 0 }
func (q *callList) first() *call { return q.list[0] }

func (q *callList) full(c *call, wide bool) bool {
	most := maxQueuedCalls
	if wide {
		most = maxOwnCalls
	}
	return len(q.list) >= most || (len(q.list) > 0 && q.bytes+c.bytes() > maxQueuedBytes)
}

func (q *callList) push(c *call) {
	q.list = append(q.list, c)
	q.bytes += c.bytes()
}

func (q *callList) pop() *call {
	c := q.list[0]
	q.list[0] = nil
	q.list = q.list[1:]
	q.bytes -= c.bytes()
	if len(q.list) == 0 {
		q.list = nil
	}
	return c
}

// putBack prepends calls that were sent before, ignoring the bound.
func (q *callList) putBack(sent []*call) {
	q.list = append(sent, q.list...)
}

// takeQoS0 removes and returns the QoS 0 publishes.
func (q *callList) takeQoS0() (taken []*call) {
	var left callList
	for !q.empty() {
		c := q.pop()
		if c.isQoS0() {
			taken = append(taken, c)
			continue
		}
		left.push(c)
	}
	*q = left
	return taken
}
